import { parse } from 'yaml';
import { readProjectFile } from '../../test/architecture/project-files.js';

/** What the tests read of a service of docker-compose.yml. */
export interface ComposeService {
  image: string;
  build?: { context: string; dockerfile: string };
  pull_policy?: string;
  user?: string;
  entrypoint?: string[];
  command?: string[];
  environment?: Record<string, string>;
  /** `source:target`, or with `:ro` behind it. */
  volumes?: string[];
  networks?: string[] | Record<string, { aliases?: string[] } | null>;
  network_mode?: string;
  ports?: string[];
  profiles?: string[];
  restart: string;
  depends_on?: Record<string, { condition: DependsCondition }>;
  healthcheck?: { test: string[] };
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  logging?: { driver: string; options: Record<string, string> };
  deploy?: { resources: { limits: Record<string, string | number> } };
}

export type DependsCondition = 'service_started' | 'service_healthy' | 'service_completed_successfully';

export interface ComposeFile {
  services: Record<string, ComposeService>;
  networks: Record<string, { internal?: boolean }>;
  volumes: Record<string, unknown>;
}

/** docker-compose.yml as Compose sees it where no variable of its own is set. */
export function readComposeFile(): ComposeFile {
  return interpolated(parse(readProjectFile('docker-compose.yml').text, { merge: true })) as ComposeFile;
}

function interpolated(value: unknown): unknown {
  if (typeof value === 'string') return interpolatedText(value);
  if (Array.isArray(value)) return value.map(interpolated);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, interpolated(inner)]));
}

/** `${NAME:-default}` and `$$` are all that the file uses; anything else would be passed over here, so it is refused. */
function interpolatedText(text: string): string {
  return text.replace(/\$\$|\$\{[A-Z_]+:-([^{}]*)\}|\$/g, (found, fallback: string | undefined) => {
    if (found === '$') throw new Error(`A "$" that is neither "$$" nor "\${NAME:-default}": ${text}`);
    return found === '$$' ? '$' : (fallback ?? '');
  });
}

export interface Mount {
  /** A named volume, or a path that begins with `./`. */
  source: string;
  target: string;
  isReadOnly: boolean;
}

export function mountsOf({ volumes = [] }: ComposeService): Mount[] {
  return volumes.map((text) => {
    const [source = '', target = '', mode] = text.split(':');
    return { source, target, isReadOnly: mode === 'ro' };
  });
}

/** Whether the service runs our image. */
export function isOurs({ image }: ComposeService): boolean {
  return image.startsWith('tollgate:');
}

/** Whether the service does its work once and ends. */
export function isTask({ restart }: ComposeService): boolean {
  return restart === 'no';
}

/** The service whose network the service lives in: its own, or the one that it joins. */
export function networkOwner(name: string, { network_mode: mode }: ComposeService): string {
  return mode?.startsWith('service:') === true ? mode.slice('service:'.length) : name;
}

/** Names in networks that lead to the service besides its own. */
export function aliasesOf({ networks = [] }: ComposeService): string[] {
  return Array.isArray(networks) ? [] : Object.values(networks).flatMap((network) => network?.aliases ?? []);
}

/** The program of our image that the service runs, such as `authz`; undefined where it runs none. */
export function programOf({ command = [] }: ComposeService): string | undefined {
  return /dist\/(\w+)\.js/.exec(command.join(' '))?.[1] ?? undefined;
}

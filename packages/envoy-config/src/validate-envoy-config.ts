import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseDocument } from 'yaml';

const ENVOY_DEADLINE_MS = 20_000;

/**
 * Everything that is wrong with an Envoy configuration, a line each; nothing means that Envoy would start with it.
 * With `envoyPath` Envoy itself looks too, and finds what only it can: it opens the files that the configuration names.
 */
export async function validateEnvoyConfig(text: string, envoyPath?: string): Promise<string[]> {
  const document = parseDocument(text, { uniqueKeys: true });
  if (document.errors.length > 0) return document.errors.map((error) => firstLine(error.message));
  const own = clusterProblems(document.toJS() as unknown);
  return envoyPath === undefined ? own : [...own, ...(await envoyProblems(text, envoyPath))];
}

/** What `envoy --mode validate` does not see: a filter that calls a cluster which is not there fails at each request. */
function clusterProblems(config: unknown): string[] {
  const clusters = new Set(clusterNames(config));
  return references(config, '')
    .filter(({ cluster }) => !clusters.has(cluster))
    .map(({ path, cluster }) => `${path}: there is no cluster ${JSON.stringify(cluster)}`);
}

type Reference = { path: string; cluster: string };

function references(value: unknown, path: string): Reference[] {
  if (Array.isArray(value)) return value.flatMap((item: unknown, index) => references(item, `${path}[${index}]`));
  if (!isRecord(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const at = path === '' ? key : `${path}.${key}`;
    if (key === 'envoy_grpc' && isRecord(inner) && typeof inner['cluster_name'] === 'string')
      return [{ path: `${at}.cluster_name`, cluster: inner['cluster_name'] }];
    if (key === 'route' && isRecord(inner) && typeof inner['cluster'] === 'string')
      return [{ path: `${at}.cluster`, cluster: inner['cluster'] }];
    if (key === 'http_uri' && isRecord(inner) && typeof inner['cluster'] === 'string')
      return [{ path: `${at}.cluster`, cluster: inner['cluster'] }];
    if (key === 'cluster_min_healthy_percentages' && isRecord(inner))
      return Object.keys(inner).map((cluster) => ({ path: at, cluster }));
    return references(inner, at);
  });
}

function clusterNames(config: unknown): string[] {
  const resources = isRecord(config) ? config['static_resources'] : undefined;
  const clusters = isRecord(resources) ? resources['clusters'] : undefined;
  if (!Array.isArray(clusters)) return [];
  return clusters.flatMap((cluster: unknown) =>
    isRecord(cluster) && typeof cluster['name'] === 'string' ? [cluster['name']] : [],
  );
}

async function envoyProblems(text: string, envoyPath: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-envoy-'));
  const file = join(folder, 'envoy.yaml');
  try {
    await writeFile(file, text, { mode: 0o600 });
    const args = ['--mode', 'validate', '--config-path', file, '--log-level', 'error', '--log-format', '%v'];
    await promisify(execFile)(envoyPath, args, { timeout: ENVOY_DEADLINE_MS });
    return [];
  } catch (error) {
    return [envoyMessage(error as ExecError, file)];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type ExecError = Error & { stderr?: string; killed?: boolean };

/** Envoy says "… @ the.place[0]: … no such field: 'x'", with gaps of random length between the words. */
function envoyMessage(error: ExecError, file: string): string {
  if (error.killed === true) return `Envoy did not answer within ${ENVOY_DEADLINE_MS / 1000} s`;
  const lines = (error.stderr ?? '').split('\n').filter((line) => line.trim() !== '');
  const told = lines.find((line) => line.includes('error initializing configuration')) ?? lines.at(-1) ?? error.message;
  const message = told
    .replace(/\s+/g, ' ')
    .replace(/^.*?error initializing configuration '.*?': /, '')
    .replaceAll(file, 'the configuration')
    .trim();
  const unknown = /@ (\S+?):? .*no such field: '([^']*)'/.exec(message);
  if (unknown !== null) return `${unknown[1]?.replaceAll('.<any>', '')}: Envoy knows no setting '${unknown[2]}' here`;
  return `Envoy: ${message}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? text;
}

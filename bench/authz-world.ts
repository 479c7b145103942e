/** authz alone, as it is built, in a process of its own: with PostgreSQL, keys, and a load generator that asks for them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateApiKey, hashApiKey } from '@tollgate/domain/api-key';
import { findEnvoy } from '@tollgate/embedded/envoy-binary';
import type { Database } from '@tollgate/postgres/database';
import { IMPORT_BATCH_ROWS, importApiKeys } from '@tollgate/postgres/import-api-keys';
import { createOrganization } from '@tollgate/postgres/organizations';
import { envoyDescriptors, envoyMethod } from '@tollgate/testing/envoy-protos';
import { cacheFolder } from '@tollgate/testing/run-environment';
import { until } from '@tollgate/testing/until';
import { type CheckDriver, startCheckDriver } from './check-load.js';
import type { Closers } from './run-folder.js';
import { startBenchPostgres } from './stores.js';
import { type StartedService, startService } from './world.js';

export interface AuthzWorldOptions {
  folder: string;
  /** The project, with its built programs in `dist`. */
  root: string;
  keys: number;
  connections: number;
  /** Of calls without an answer. */
  giveUpMs: number;
  /** Settings of authz. */
  settings?: Readonly<Record<string, string>>;
  profileFolder?: string | undefined;
}

export interface AuthzWorld {
  authz: StartedService;
  driver: CheckDriver;
  db: Database;
  postgresPid: number;
  /** A series of authz's metrics, by its whole name with labels. */
  metric(series: string): Promise<number>;
  versions: string;
}

const CHECK_PATH = '/envoy.service.auth.v3.Authorization/Check';
const ACTOR = 'bench';
/** For authz to read the hashes of all keys. */
const KNOWN_DEADLINE_MS = 120_000;

export async function startAuthzWorld(options: AuthzWorldOptions, closers: Closers): Promise<AuthzWorld> {
  const { folder, root, profileFolder } = options;
  const envoy = await findEnvoy({ cacheFolder: cacheFolder(), log: (line) => console.info(line) });
  const postgres = await startBenchPostgres(folder, root, closers);
  const { db } = postgres;
  const secrets = await makeKeys(db, options.keys);
  const keysFile = join(folder, 'keys');
  await writeFile(keysFile, secrets.join(''), { mode: 0o600 });

  const settings = { DATABASE_URL: postgres.url, ...options.settings };
  const authz = await startService({ folder, root, transport: 'unix', profileFolder }, closers, 'authz', settings);
  const metric = (series: string): Promise<number> => metricOf(authz, series);
  await until(
    async () => (await metric('tollgate_known_keys{service="authz"}')) >= options.keys,
    KNOWN_DEADLINE_MS,
    'all keys known',
  );
  const keyOfMessage = secrets[0] as string;
  const driver = await startCheckDriver(join(root, 'dist', 'bench-check-driver.js'), {
    socketPath: 'unix' in authz.address ? authz.address.unix : '',
    connections: options.connections,
    message: checkRequest(envoy.path, keyOfMessage).toString('base64'),
    keyOfMessage,
    keysFile,
    giveUpMs: options.giveUpMs,
  });
  closers.push(async () => driver.close());
  const versions = `Node.js ${process.version}, messages of Envoy ${envoy.version}, PostgreSQL ${postgres.version}`;
  return { authz, driver, db, postgresPid: postgres.pid, metric, versions };
}

/** Keys that nobody has asked for yet, of one organization. */
async function makeKeys(db: Database, count: number): Promise<string[]> {
  await createOrganization(db, { name: 'Bench', plan: 'premium', billingAnchorDay: 1 }, ACTOR);
  const secrets = Array.from({ length: count }, () => generateApiKey('live'));
  for (let first = 0; first < count; first += IMPORT_BATCH_ROWS) {
    const rows = secrets.slice(first, first + IMPORT_BATCH_ROWS).map((secret, i) => ({
      line: first + i + 1,
      row: {
        ...{ organization: 'Bench', name: `bench ${first + i}`, environment: 'live' as const, scopes: [] },
        ...{ keyHash: hashApiKey(secret), prefix: secret.slice(0, 12) },
      },
    }));
    await importApiKeys(db, rows, { isDryRun: false, skipBad: false }, ACTOR);
  }
  return secrets;
}

/** What Envoy sends of a request with this key; the headers are those that the gateway's configuration lets through. */
function checkRequest(envoyPath: string, key: string): Buffer {
  const address = (port: number) => ({ address: { socket_address: { address: '127.0.0.1', port_value: port } } });
  const http = {
    ...{ id: '1234567890123456789', method: 'GET', path: '/v1/things', host: '127.0.0.1:8080', scheme: 'http' },
    ...{ protocol: 'HTTP/1.1', headers: { 'x-api-key': key } },
  };
  const request = { time: { seconds: 1_795_427_988, nanos: 123_000_000 }, http };
  const attributes = { source: address(43_210), destination: address(8080), request };
  return envoyMethod(envoyDescriptors(envoyPath), CHECK_PATH).requestSerialize({ attributes });
}

async function metricOf({ adminAddress }: StartedService, series: string): Promise<number> {
  const page = await (await fetch(`http://${adminAddress}/metrics`, { signal: AbortSignal.timeout(10_000) })).text();
  const line = page.split('\n').find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length));
}

import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrateDown, migrateUp } from '@tollgate/postgres/migrate';
import { MIGRATIONS_FOLDER } from '@tollgate/testing/migrations-folder';
import pg from 'pg';
import { sendSteadily } from '../../e2e/steady-load.js';
import { countedFigures } from '../common-figures.js';
import type { Fault, Figures, Run } from '../fault.js';
import { percentiles } from '../probe.js';
import { startStand } from '../stand.js';

/** An expansion that both versions of the services can live with, on the table that every look-up reads. */
const UP = 'ALTER TABLE api_keys ADD COLUMN proof_note text;\n';
const DOWN = 'ALTER TABLE api_keys DROP COLUMN proof_note;\n';
/** A report that somebody runs: while it reads the table, no statement can change that. */
const READER_MS = 6_000;
const ROUNDS = 2;
const COLD_KEYS = 300;
const COLD_PER_SECOND = 8;
const LOOKUP_TIMEOUT = '3s';

type Migrate = (direction: 'up' | 'down', url: string, folder: string) => Promise<unknown>;

export const migrationUnderLoad: Fault = {
  id: 'F19',
  title: 'the schema goes up, down and up again under load, while somebody reads the table for long',
  promise: `No request fails, also none whose key must be looked up (with KEY_LOOKUP_TIMEOUT=${LOOKUP_TIMEOUT}): a migration that waits for a lock gives up within two seconds and tries again.`,
  acceptance: [
    { figure: 'migrations', what: 'migrations up and down', atLeast: 2 * ROUNDS },
    { figure: 'cold', what: 'requests with keys that were never looked up before', atLeast: 50 },
    { figure: 'coldFailed', what: 'of these, not served', atMost: 0 },
    { figure: 'failed', what: 'failed requests', atMost: 0 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'unlimited', what: 'requests that nobody limited', atMost: 0 },
    { figure: 'lost', what: 'lost usage', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
    { figure: 'coldMaxMs', what: 'longest wait of a key that must be looked up, ms', atMost: 2_500, isTime: true },
  ],
  run: (run) =>
    migrate(run, (direction, url, folder) => (direction === 'up' ? migrateUp({ url, folder }) : migrateDown({ url, folder }))),
  mutant: {
    title: 'the same statements without lock_timeout',
    breaks: 'coldFailed',
    run: (run) => migrate(run, (direction, url) => withClient(url, (client) => client.query(direction === 'up' ? UP : DOWN))),
  },
};

async function migrate(run: Run, apply: Migrate): Promise<Figures> {
  const { cluster, probe } = await startStand(run, { env: { KEY_LOOKUP_TIMEOUT: LOOKUP_TIMEOUT } });
  const folder = await mkdtemp(join(tmpdir(), 'proof-migrations-'));
  run.onEnd(() => rm(folder, { recursive: true, force: true }));
  await cp(MIGRATIONS_FOLDER, folder, { recursive: true });
  await writeFile(join(folder, '9001_proof.up.sql'), UP);
  await writeFile(join(folder, '9001_proof.down.sql'), DOWN);

  const organizationId = await cluster.operator.createOrganization('enterprise');
  const secrets: string[] = [];
  while (secrets.length < COLD_KEYS) {
    const some = await Promise.all(Array.from({ length: 2 }, () => cluster.operator.createKey(organizationId)));
    secrets.push(...some.map(({ secret }) => secret));
  }
  const cold: { status: number; tookMs: number }[] = [];
  const load = sendSteadily(
    cluster.gatewayUrl,
    COLD_PER_SECOND,
    (n) => ({ kind: 'cold', path: '/cold', headers: { 'x-api-key': secrets[n % COLD_KEYS] ?? '' } }),
    ({ status, tookMs }) => cold.push({ status, tookMs }),
  );
  run.onEnd(() => load.stop());
  let migrations = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const direction of ['up', 'down'] as const) {
      const reading = withClient(cluster.databaseUrl, (client) => readForLong(client));
      await probe.seconds(0.5);
      await Promise.all([reading, apply(direction, cluster.databaseUrl, folder)]);
      migrations++;
    }
  }
  await load.stop();
  await probe.stop();
  const { answers } = probe;
  return {
    ...(await countedFigures(cluster, answers)),
    n: answers.length + cold.length,
    migrations,
    cold: cold.length,
    coldFailed: cold.filter(({ status }) => status !== 200).length,
    coldMaxMs: Math.max(...cold.map(({ tookMs }) => tookMs)),
    ...percentiles(answers),
  };
}

async function readForLong(client: pg.Client): Promise<void> {
  await client.query('BEGIN');
  await client.query('SELECT count(*) FROM api_keys');
  await client.query('SELECT pg_sleep($1)', [READER_MS / 1000]);
  await client.query('COMMIT');
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

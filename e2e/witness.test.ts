import { readFile } from 'node:fs/promises';
import { until } from '@tollgate/testing/until';
import { readConfig as readReconcilerConfig } from '@tollgate/usage-processor/reconciler/config';
import { startReconciler } from '@tollgate/usage-processor/reconciler/service';
import { readConfig as readWriterConfig } from '@tollgate/usage-processor/writer/config';
import { startWriter } from '@tollgate/usage-processor/writer/service';
import { beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from './cluster.js';
import type { Key } from './operator.js';
import { settled } from './settled.js';
import { startSteadyLoad } from './steady-load.js';

/** By hand on a calm machine: 500. */
const PER_SECOND = Number(process.env['WITNESS_PER_SECOND'] ?? 100);
const KILLS = 3;
/** A minute must end, and what is missing is looked for several times. */
const DEADLINE_MS = 150_000;
const STEP_DEADLINE_MS = 30_000;
/** Longer than a collector takes to come back: until then Envoy has what is not stored, and it is not lost. */
const GRACE_SECONDS = 2;
/** The reconciler asks Envoy's counter after six times the grace. */
const SETTLED_MS = 8 * GRACE_SECONDS * 1000;
const SETTLED_DEADLINE_MS = STEP_DEADLINE_MS + 2 * SETTLED_MS;

let cluster: Cluster;
let key: Key;

/** What callers saw, and what was stored before anything was looked for. */
let proxied: Set<string>;
let storedBefore: number;
let reportedLoss: number;

beforeAll(async () => {
  cluster = await startCluster({ authz: 1, ratelimit: 1, hasGateway: true });
  key = await cluster.operator.newcomer('enterprise');
  await cluster.operator.setLimits(key.organizationId, { perMinute: 1_000_000, perDay: 100_000_000, burst: 1_000_000 });
  const { usage } = cluster;
  const common = {
    DATABASE_URL: cluster.databaseUrl,
    ADMIN_LISTEN: '127.0.0.1:0',
    DATA_DIR: usage.dataFolder,
    LOG_LEVEL: 'error',
  };
  const beside = { ...common, ENVOY_ADMIN_URL: usage.envoyAdminUrl, USAGE_NODE_ID: usage.nodeId };
  const writer = await startWriter(readWriterConfig(common));
  // Without the file, as long as the load goes on.
  const counting = await startReconciler(readReconcilerConfig({ ...beside, USAGE_GRACE: `${GRACE_SECONDS}s` }));
  const metric = async (name: string) =>
    Number(
      new RegExp(`^${name}\\S* (\\d+)$`, 'm').exec(await (await fetch(`http://${counting.adminAddress}/metrics`)).text())?.[1],
    );

  const load = startSteadyLoad(cluster.gatewayUrl, PER_SECOND, (n) => ({
    ...{ kind: 'usage', path: `/orders?n=${n}` },
    headers: { 'x-api-key': key.secret },
  }));
  for (let i = 0; i < KILLS; i++) await killCollector(load.outcomes);
  await load.stop();
  // What Envoy holds back goes out, is stored, and is compared with Envoy's own count.
  // Counted there: at 500 a second, reading every row time and again takes longer than the deadline.
  const stored = 'SELECT count(*)::int AS count FROM usage_events WHERE organization_id = $1';
  const readStored = async () => {
    const [row] = await cluster.db.query<{ count: number }>(stored, [key.organizationId]);
    return row?.count ?? 0;
  };
  storedBefore = await settled(readStored, SETTLED_MS, SETTLED_DEADLINE_MS);
  reportedLoss = await settled(() => metric('tollgate_usage_unreceived_events_total'), SETTLED_MS, SETTLED_DEADLINE_MS);
  await counting.close();

  const last = startSteadyLoad(cluster.gatewayUrl, PER_SECOND, (n) => ({
    ...{ kind: 'usage', path: `/last?n=${n}` },
    headers: { 'x-api-key': key.secret },
  }));
  await until(() => last.outcomes.length >= PER_SECOND, STEP_DEADLINE_MS, 'a second of load');
  await cluster.endEnvoy('SIGTERM');
  await last.stop();
  proxied = idsOf([...load.outcomes, ...last.outcomes]);
  const withFile = { ...beside, USAGE_FILE: usage.file, USAGE_GRACE: '1s' };
  const reconciler = await startReconciler(readReconcilerConfig(withFile));
  return async () => {
    await reconciler.close();
    await writer.close();
    await cluster.close();
  };
}, DEADLINE_MS);

/** Under load, when it has been sent what it will never take in; then a new one takes its place. */
async function killCollector(outcomes: readonly unknown[]): Promise<void> {
  const { collector, stat } = cluster;
  const flushed = () => stat('access_logs.grpc_access_log.grpc_entries_flushed');
  const answered = outcomes.length;
  await until(() => outcomes.length >= answered + PER_SECOND, STEP_DEADLINE_MS, 'load');
  collector?.signal('SIGSTOP');
  const before = await flushed();
  await until(async () => (await flushed()) > before, STEP_DEADLINE_MS, 'entries on their way');
  collector?.signal('SIGKILL');
  await collector?.exited();
  await collector?.start();
}

function idsOf(outcomes: readonly { status: number; headers: Record<string, unknown> }[]): Set<string> {
  return new Set(outcomes.filter(({ status }) => status === 200).map(({ headers }) => String(headers['x-request-id'])));
}

const lines = async () => (await readFile(cluster.usage.file, 'utf8')).trimEnd().split('\n');

test(
  'what a killed collector and a stopped Envoy lost is stored after reconciliation, each request exactly once',
  async () => {
    const count = (await lines()).length;
    const sums = await until(
      async () => {
        const [row] = await cluster.db.query<Record<string, number>>(
          'SELECT sum(requests)::int AS requests, sum(recorded)::int AS recorded, sum(replayed)::int AS replayed FROM usage_witness',
        );
        return row?.['requests'] === count && row;
      },
      DEADLINE_MS,
      'every line of the file checked',
    );
    expect(sums['recorded']).toBe(count);
    expect(sums['replayed']).toBeGreaterThan(0);
    const stored = (await cluster.operator.usage(key.organizationId)).map(({ request_id }) => request_id);
    expect(new Set(stored).size).toBe(stored.length);
    expect([...proxied].filter((id) => !new Set(stored).has(id))).toEqual([]);
    // Envoy cut some requests when it ended: they are in its log, though their callers saw no answer.
    expect(stored.length).toBe(count);
    expect(count - proxied.size).toBeLessThan(PER_SECOND);
  },
  DEADLINE_MS,
);

test('without the file the loss is told by number, within one percent of what was proxied', async () => {
  const ofKills = [...(await lines())].filter((line) => line.includes('"path":"/orders"')).length;
  const lost = ofKills - storedBefore;
  expect(lost).toBeGreaterThan(0);
  expect(Math.abs(reportedLoss - lost)).toBeLessThanOrEqual(ofKills / 100);
});

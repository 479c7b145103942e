/** What is lost before the event log, which nobody acknowledges: told by number, and found again in Envoy's own file. */

import { until } from '@tollgate/testing/until';
import { readConfig } from '@tollgate/usage-processor/reconciler/config';
import { startReconciler } from '@tollgate/usage-processor/reconciler/service';
import type { Cluster, Instance } from '../../e2e/cluster.js';
import { settled } from '../../e2e/settled.js';
import type { Fault, Figures, Run } from '../fault.js';
import { count, percentiles, wrongAnswers } from '../probe.js';
import { type Stand, startStand } from '../stand.js';
import { accountOf } from '../usage-account.js';

const KILLS = 3;
/** A minute must end, and what is missing is looked for several times. */
const REPLAYED_QUIET_MS = 100_000;
const STEP_DEADLINE_MS = 30_000;
/** Longer than a collector takes to come back: until then Envoy has what is not stored. */
const GRACE_SECONDS = 3;
/** The reconciler asks Envoy's counter after six times the grace. */
const SETTLED_MS = 8 * GRACE_SECONDS * 1000;
const SETTLED_DEADLINE_MS = STEP_DEADLINE_MS + 2 * SETTLED_MS;

export const collectorKilled: Fault = {
  id: 'F11',
  title: 'the collector is killed with entries on their way (kill -9)',
  promise: 'What is lost is told by number within one percent, and is stored in the end where Envoy keeps a file.',
  acceptance: [
    { figure: 'kills', what: 'kills', atLeast: KILLS },
    { figure: 'missing', what: 'events that were missing before Envoy’s file was read', atLeast: 1 },
    { figure: 'missingSeconds', what: 'missing events a kill, in seconds of traffic', atMost: 2 },
    { figure: 'toldWrongShare', what: 'difference between the loss and the told one, as a share of all', atMost: 0.01 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'lost', what: 'events that are missing in the end', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
  ],
  run: (run) => killCollector(run, true),
  mutant: { title: 'no file of Envoy (USAGE_FILE)', breaks: 'lost', run: (run) => killCollector(run, false) },
};

export const envoyEnded: Fault = {
  id: 'F12',
  title: 'Envoy is ended (SIGTERM) under load',
  promise: 'What it had not sent stands in its file and is stored in the end.',
  acceptance: [
    { figure: 'n', what: 'requests', atLeast: 500 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'lost', what: 'answered requests that are missing in the end', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
  ],
  run: (run) => endEnvoy(run, true),
  mutant: { title: 'no file of Envoy (USAGE_FILE)', breaks: 'lost', run: (run) => endEnvoy(run, false) },
};

async function killCollector(run: Run, hasFile: boolean): Promise<Figures> {
  const stand = await startStand(run);
  const { cluster, probe } = stand;
  const counting = await reconcile(cluster, run, false);
  for (let kill = 0; kill < KILLS; kill++) await killWithEntries(stand);
  await probe.stop();
  const { answers } = probe;
  const before = await accountOf(cluster, answers);
  const told = await settled(() => unreceivedBy(counting.adminAddress), SETTLED_MS, SETTLED_DEADLINE_MS);
  await counting.close();
  const reconciler = hasFile ? await reconcile(cluster, run, true) : undefined;
  const account = await accountOf(cluster, answers, hasFile ? REPLAYED_QUIET_MS : undefined);
  await reconciler?.close();
  return {
    n: answers.length,
    ...account,
    wrong: wrongAnswers(answers, cluster),
    kills: KILLS,
    missing: before.lost,
    missingSeconds: before.lost / KILLS / (run.rate * 0.9),
    told,
    toldWrongShare: Math.abs(told - before.lost) / answers.length,
    ...percentiles(answers),
  };
}

/** When it has been sent what it will never take in; then a new one takes its place. */
async function killWithEntries({ cluster, probe }: Stand): Promise<void> {
  const collector = cluster.collector as Instance;
  const flushed = () => cluster.stat('access_logs.grpc_access_log.grpc_entries_flushed');
  await probe.seconds(2);
  collector.signal('SIGSTOP');
  const before = await flushed();
  await until(async () => (await flushed()) > before, STEP_DEADLINE_MS, 'entries on their way');
  collector.signal('SIGKILL');
  await collector.exited();
  await collector.start();
}

async function endEnvoy(run: Run, hasFile: boolean): Promise<Figures> {
  const { cluster, probe } = await startStand(run);
  await probe.seconds(5);
  await cluster.endEnvoy('SIGTERM');
  await probe.stop();
  const { answers } = probe;
  const reconciler = hasFile ? await reconcile(cluster, run, true) : undefined;
  const account = await accountOf(cluster, answers, hasFile ? REPLAYED_QUIET_MS : undefined);
  await reconciler?.close();
  const cut = count(answers, ({ status }) => status === 0);
  return { n: answers.length - cut, ...account, wrong: wrongAnswers(answers, cluster), cut };
}

async function reconcile({ usage, databaseUrl }: Cluster, run: Run, hasFile: boolean) {
  const place = { DATABASE_URL: databaseUrl, DATA_DIR: usage.dataFolder, USAGE_NODE_ID: usage.nodeId };
  const source = hasFile ? { USAGE_FILE: usage.file } : { ENVOY_ADMIN_URL: usage.envoyAdminUrl };
  const settings = { ...place, ...source, ADMIN_LISTEN: '127.0.0.1:0', LOG_LEVEL: 'error', USAGE_GRACE: `${GRACE_SECONDS}s` };
  const reconciler = await startReconciler(readConfig(settings));
  run.onEnd(() => reconciler.close().catch(() => {}));
  return reconciler;
}

async function unreceivedBy(adminAddress: string): Promise<number> {
  const page = await (await fetch(`http://${adminAddress}/metrics`)).text();
  return Number(/^tollgate_usage_unreceived_events_total\S* (\d+)$/m.exec(page)?.[1]);
}

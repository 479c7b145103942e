import { until } from '@tollgate/testing/until';
import { countedFigures } from '../common-figures.js';
import { boundOf, lookAtTimes } from '../envoy-times.js';
import { type Fault, type Figures, type Run, sized } from '../fault.js';
import { sumOf } from '../instance-figures.js';
import { count, during, isKnown, isRefused, percentiles } from '../probe.js';
import { type StandOptions, startStand } from '../stand.js';

const NOTICED_DEADLINE_MS = 20_000;
const BACK_DEADLINE_MS = 60_000;
/** As `tollgate_cache_trust_state` tells it. */
const UNREACHABLE = 2;

export const databaseDown: Fault = {
  id: 'F5',
  title: 'PostgreSQL is down',
  promise: 'Known keys go on, unknown ones hear 503 and never 401 or 403, and no usage is lost.',
  acceptance: [
    { figure: 'warm', what: 'requests with known keys meanwhile', atLeast: 100 },
    { figure: 'refused', what: 'known keys that were refused meanwhile', atMost: 0 },
    { figure: 'unavailable', what: 'unknown keys that heard 503 when it was noticed', atLeast: 5 },
    { figure: 'denied', what: 'unknown keys that heard 401 or 403 when it was noticed', atMost: 0 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'unlimited', what: 'requests that nobody limited', atMost: 0 },
    { figure: 'lost', what: 'lost usage', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
    { figure: 'checkP99Ms', what: 'answers of authz meanwhile, P99 in ms', atMost: 5, isTime: true },
    { figure: 'noticedMs', what: 'until each authz has noticed, ms', atMost: 1_000, isTime: true },
    {
      figure: 'recoveryMs',
      what: 'from the return of PostgreSQL to the first denial of an unknown key, ms',
      atMost: 1_000,
      isTime: true,
    },
  ],
  run: (run) => stopDatabase(run),
  mutant: {
    title: 'no stale keys (MAX_STALE=0s)',
    breaks: 'refused',
    run: (run) => stopDatabase(run, { env: { MAX_STALE: '0s' } }),
  },
  isSmall: true,
};

async function stopDatabase(run: Run, options: StandOptions = {}): Promise<Figures> {
  const { cluster, database, probe } = await startStand(run, options);
  const look = () => lookAtTimes(cluster.usage.envoyAdminUrl, 'authz');
  const before = await look();
  await database.kill();
  const goneMs = Date.now();
  // What was found to be unknown a moment ago is unknown until its loss is noticed.
  const isNoticed = async () => (await sumOf(cluster.authz, 'tollgate_cache_trust_state')) === UNREACHABLE * cluster.authz.length;
  await until(isNoticed, NOTICED_DEADLINE_MS, 'each authz noticing the loss');
  const noticedMs = Date.now();
  await probe.seconds(sized(run, 4, 30));
  const [after, againMs] = [await look(), Date.now()];
  await database.start();
  const backMs = Date.now();
  const isJudged = () => probe.answers.findLast(({ caller, status }) => caller === 'unknown' && status === 403);
  await until(() => (isJudged()?.endedAtMs ?? 0) > backMs, BACK_DEADLINE_MS, 'a judgement of an unknown key');
  const recoveryMs = Date.now() - backMs;
  await probe.seconds(1);
  await probe.stop();
  const { answers } = probe;
  const gone = during(answers, goneMs, againMs);
  const noticed = during(answers, noticedMs, againMs);
  return {
    ...(await countedFigures(cluster, answers)),
    warm: count(gone, isKnown),
    refused: count(gone, isRefused),
    unavailable: count(noticed, ({ caller, status }) => caller === 'unknown' && status === 503),
    denied: count(noticed, ({ caller, status }) => caller === 'unknown' && status < 500),
    ...percentiles(gone),
    checkP99Ms: boundOf(before, after, 0.99),
    noticedMs: noticedMs - goneMs,
    recoveryMs,
  };
}

import { until } from '@tollgate/testing/until';
import { boundOf, lookAtTimes } from '../envoy-times.js';
import { type Fault, type Figures, type Run, sized } from '../fault.js';
import { count, during, isFailed, isUnlimited, percentiles, TIGHT, wrongAnswers } from '../probe.js';
import { type StandOptions, startStand } from '../stand.js';
import { accountOf } from '../usage-account.js';

const BACK_DEADLINE_MS = 60_000;

export const redisKilled: Fault = {
  id: 'F1',
  title: 'Redis is killed',
  promise:
    'Decisions go on from a local share of each limit, marked; no request fails; Redis decides again soon after its return.',
  acceptance: [
    { figure: 'degraded', what: 'decisions without Redis, marked as such', atLeast: 100 },
    { figure: 'failed', what: 'failed requests', atMost: 0 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'unlimited', what: 'requests that nobody limited', atMost: 0 },
    { figure: 'excess', what: 'requests above the limit: one share and one fresh bucket', atMost: 2 * TIGHT.burst },
    { figure: 'lost', what: 'lost usage', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
    { figure: 'decisionP99Ms', what: 'decisions meanwhile, P99 in ms', atMost: 5, isTime: true },
    { figure: 'recoveryMs', what: 'from the return of Redis to its first decision, ms', atMost: 2_000, isTime: true },
  ],
  run: (run) => killRedis(run),
  mutant: {
    title: 'no local share (RATELIMIT_STORE_DOWN=allow)',
    breaks: 'excess',
    run: (run) => killRedis(run, { env: { RATELIMIT_STORE_DOWN: 'allow' } }),
  },
  isSmall: true,
};

async function killRedis(run: Run, options: StandOptions = {}): Promise<Figures> {
  const { cluster, redis, probe } = await startStand(run, options);
  const look = () => lookAtTimes(cluster.usage.envoyAdminUrl, 'ratelimit');
  const beganMs = Date.now();
  await redis.kill();
  const [before, goneMs] = [await look(), Date.now()];
  await probe.seconds(sized(run, 4, 30));
  const after = await look();
  await redis.start();
  const backMs = Date.now();
  const isByRedis = () => probe.answers.findLast(({ isLimited, isDegraded }) => isLimited && !isDegraded);
  await until(() => (isByRedis()?.sentAtMs ?? 0) > backMs, BACK_DEADLINE_MS, 'a decision by Redis');
  const recoveryMs = Date.now() - backMs;
  await probe.seconds(2);
  await probe.stop();
  const { answers } = probe;
  const passed = count(answers, ({ caller, status }) => caller === 'tight' && status === 200);
  const seconds = (Math.max(...answers.slice(-100).map(({ endedAtMs }) => endedAtMs)) - (answers[0]?.sentAtMs ?? 0)) / 1000;
  return {
    n: answers.length,
    ...(await accountOf(cluster, answers)),
    wrong: wrongAnswers(answers, cluster),
    failed: count(answers, isFailed),
    unlimited: count(answers, isUnlimited),
    degraded: count(during(answers, beganMs, backMs), ({ isDegraded }) => isDegraded),
    excess: Math.max(0, passed - TIGHT.burst - Math.ceil((seconds * TIGHT.perMinute) / 60)),
    ...percentiles(during(answers, goneMs, backMs)),
    decisionP99Ms: boundOf(before, after, 0.99),
    recoveryMs,
  };
}

import { countedFigures, excessIn, untilRedisDecides } from '../common-figures.js';
import { boundOf, lookAtTimes } from '../envoy-times.js';
import { type Fault, type Figures, type Run, sized } from '../fault.js';
import { count, during, percentiles, TIGHT } from '../probe.js';
import { type StandOptions, startStand } from '../stand.js';

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
  const [before, beganMs] = [await look(), Date.now()];
  await redis.kill();
  const goneMs = Date.now();
  await probe.seconds(sized(run, 4, 30));
  const after = await look();
  await redis.start();
  const backMs = Date.now();
  const recoveryMs = await untilRedisDecides(probe, backMs);
  await probe.seconds(2);
  await probe.stop();
  const { answers } = probe;
  return {
    ...(await countedFigures(cluster, answers)),
    degraded: count(during(answers, beganMs, backMs), ({ isDegraded }) => isDegraded),
    excess: excessIn(answers),
    ...percentiles(during(answers, goneMs, backMs)),
    decisionP99Ms: boundOf(before, after, 0.99),
    recoveryMs,
  };
}

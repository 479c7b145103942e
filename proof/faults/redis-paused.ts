import { until } from '@tollgate/testing/until';
import { countedFigures, untilRedisDecides } from '../common-figures.js';
import { boundOf, lookAtTimes } from '../envoy-times.js';
import { type Fault, type Figures, type Run, sized } from '../fault.js';
import { observedAbove, residentMb, sumOf } from '../instance-figures.js';
import type { MutantProgram } from '../mutants.js';
import { count, during, percentiles } from '../probe.js';
import { type StandOptions, startStand } from '../stand.js';

const NOTICED_DEADLINE_MS = 6_000;
const SETTLING_LOOKS = 5;

/** Each of these bounds what a silent Redis holds up, and stands in for the others. */
const NO_BOUND: MutantProgram = {
  role: 'ratelimit',
  name: 'no-bound',
  changes: [
    {
      file: 'packages/limit-store/src/circuit-breaker.ts',
      from: 'if (++failures < failuresToOpen) return;',
      to: 'if (++failures < Number.POSITIVE_INFINITY) return;',
    },
    {
      file: 'packages/limit-store/src/redis/redis-client.ts',
      from: 'const SILENCE_MS = 2_000;',
      to: 'const SILENCE_MS = 600_000;',
    },
    { file: 'packages/limit-store/src/redis/redis-limit-store.ts', from: 'lane.inFlight >= maxInFlight', to: 'maxInFlight < 0' },
  ],
};

export const redisPaused: Fault = {
  id: 'F2',
  title: 'Redis is stopped (SIGSTOP)',
  promise: 'No call waits for Redis while the breaker is open, nothing piles up, and no request fails.',
  acceptance: [
    { figure: 'degraded', what: 'decisions without Redis, marked as such', atLeast: 100 },
    { figure: 'failed', what: 'failed requests', atMost: 0 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'unlimited', what: 'requests that nobody limited', atMost: 0 },
    // One that is late without Redis too, as the machine was busy, is no proof of the contrary.
    { figure: 'waitedPercent', what: 'calls that waited for Redis after the breakers had to be open, %', atMost: 1 },
    { figure: 'grownMb', what: 'memory that a ratelimit grew by, the most, MB', atMost: 32, isTime: true },
    { figure: 'lost', what: 'lost usage', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
    { figure: 'decisionP999Ms', what: 'decisions meanwhile, P99.9 in ms', atMost: 25, isTime: true },
  ],
  run: (run) => pauseRedis(run),
  mutant: {
    title: 'no breaker, no end of a silent connection, and no bound of the calls under way',
    breaks: 'waitedPercent',
    run: (run) => pauseRedis(run, { mutants: [NO_BOUND] }),
  },
  isSmall: true,
};

async function pauseRedis(run: Run, options: StandOptions = {}): Promise<Figures> {
  const { cluster, redis, probe } = await startStand(run, options);
  const { ratelimit } = cluster;
  const look = () => lookAtTimes(cluster.usage.envoyAdminUrl, 'ratelimit');
  const held = () => observedAbove(ratelimit, 'tollgate_ratelimit_store_duration_seconds', sized(run, 0.25, 0.005).toString());
  const resident = () => Promise.all(ratelimit.map(residentMb));
  const [before, memoryBefore, beganMs] = [await look(), await resident(), Date.now()];
  redis.pause();
  run.onEnd(async () => redis.resume());
  const isOpen = async () => (await sumOf(ratelimit, 'tollgate_ratelimit_degraded')) === ratelimit.length;
  await until(isOpen, NOTICED_DEADLINE_MS, 'open breakers').catch(() => {});
  // Those that were under way when they opened have their whole deadline, on a machine that may be busy.
  let heldBefore = -1;
  for (let look = 0; look < SETTLING_LOOKS && heldBefore !== (await held()); look++) {
    heldBefore = await held();
    await probe.seconds(1);
  }
  const settledMs = Date.now();
  await probe.seconds(sized(run, 4, 60));
  const waited = (await held()) - heldBefore;
  const decided = count(during(probe.answers, settledMs, Date.now()), ({ isLimited }) => isLimited);
  const [after, memoryAfter] = [await look(), await resident()];
  redis.resume();
  const backMs = Date.now();
  const recoveryMs = await untilRedisDecides(probe, backMs);
  await probe.stop();
  const { answers } = probe;
  return {
    ...(await countedFigures(cluster, answers)),
    degraded: count(during(answers, beganMs, backMs), ({ isDegraded }) => isDegraded),
    waitedPercent: (100 * waited) / Math.max(1, decided),
    grownMb: Math.max(...memoryAfter.map((mb, i) => mb - (memoryBefore[i] ?? Number.NaN))),
    ...percentiles(during(answers, beganMs, backMs)),
    decisionP999Ms: boundOf(before, after, 0.999),
    recoveryMs,
  };
}

import { startSlowProxy } from '@tollgate/testing/slow-proxy';
import { countedFigures } from '../common-figures.js';
import { boundOf, lookAtTimes } from '../envoy-times.js';
import { type Fault, type Figures, type Run, sized } from '../fault.js';
import { count, during, percentiles } from '../probe.js';
import { type StandOptions, startStand } from '../stand.js';

const SLOWER_MS = [5, 20, 100];

export const redisSlow: Fault = {
  id: 'F3',
  title: 'Redis is slow (5, 20, 100 ms)',
  promise: 'It decides while it answers in time, a local share beyond that, and no decision is late.',
  acceptance: [
    { figure: 'degraded', what: 'decisions without Redis when it is 100 ms slower', atLeast: 50 },
    { figure: 'failed', what: 'failed requests', atMost: 0 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'unlimited', what: 'requests that nobody limited', atMost: 0 },
    { figure: 'lost', what: 'lost usage', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
    { figure: 'decisionP999Ms', what: 'decisions, P99.9 of the worst phase, in ms', atMost: 25, isTime: true },
  ],
  run: (run) => slowRedis(run),
  mutant: {
    title: 'a deadline of a minute for a take (RATELIMIT_STORE_TIMEOUT=60s)',
    breaks: 'decisionP999Ms',
    run: (run) => slowRedis(run, { env: { RATELIMIT_STORE_TIMEOUT: '60s' } }),
  },
};

async function slowRedis(run: Run, options: StandOptions = {}): Promise<Figures> {
  let slow = (_ms: number): void => {};
  const redisUrlFor = async (url: string): Promise<string> => {
    const proxy = await startSlowProxy(url);
    run.onEnd(() => proxy.close());
    slow = proxy.slow;
    return proxy.url;
  };
  // Between 20 and 100 ms also on a busy machine; a whole run has the product's own deadline.
  const env = { RATELIMIT_STORE_TIMEOUT: run.size === 'small' ? '50ms' : '8ms', ...options.env };
  const { cluster, probe } = await startStand(run, { env, redisUrlFor });
  const look = () => lookAtTimes(cluster.usage.envoyAdminUrl, 'ratelimit');
  const [worst, shares]: [number[], Record<string, number>] = [[], {}];
  const beganMs = Date.now();
  for (const slowerMs of SLOWER_MS) {
    const [before, fromMs] = [await look(), Date.now()];
    slow(slowerMs);
    await probe.seconds(sized(run, 3, 15));
    worst.push(boundOf(before, await look(), 0.999));
    const phase = during(probe.answers, fromMs, Date.now()).filter(({ isLimited }) => isLimited);
    shares[`degradedShare${slowerMs}Ms`] = count(phase, ({ isDegraded }) => isDegraded) / phase.length;
    if (slowerMs === 100) shares['degraded'] = count(phase, ({ isDegraded }) => isDegraded);
  }
  slow(0);
  await probe.stop();
  const { answers } = probe;
  return {
    ...(await countedFigures(cluster, answers)),
    ...shares,
    ...percentiles(during(answers, beganMs, Date.now())),
    decisionP999Ms: Math.max(...worst),
  };
}

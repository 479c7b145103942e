import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { promisify } from 'node:util';
import { startBackgroundProcess, stopInSteps } from '@tollgate/embedded/background-process';
import { redisCommandAt } from '@tollgate/testing/redis-command';
import { needRunVariable, newRunFolder } from '@tollgate/testing/run-environment';
import { until } from '@tollgate/testing/until';
import { countedFigures, excessIn, untilRedisDecides } from '../common-figures.js';
import { boundOf, lookAtTimes } from '../envoy-times.js';
import { type Fault, type Figures, type Run, sized } from '../fault.js';
import { count, during, percentiles, TIGHT } from '../probe.js';
import { type StandOptions, startStand } from '../stand.js';

const PORT = 6379;

const ip = (...args: string[]) => promisify(execFile)('ip', args);

export const redisCutOff: Fault = {
  id: 'F26',
  title: 'the network to Redis is cut, one way and both ways (a namespace of its own)',
  promise:
    'As if Redis were killed: a local share decides, marked, nothing waits, and Redis decides again when the network is back.',
  acceptance: [
    { figure: 'oneWay', what: 'decisions without Redis while its answers are lost', atLeast: 100 },
    { figure: 'twoWays', what: 'decisions without Redis while nothing gets through', atLeast: 100 },
    { figure: 'failed', what: 'failed requests', atMost: 0 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'unlimited', what: 'requests that nobody limited', atMost: 0 },
    { figure: 'excess', what: 'requests above the limit: one share and one fresh bucket for each cut', atMost: 4 * TIGHT.burst },
    { figure: 'lost', what: 'lost usage', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
    { figure: 'decisionP999Ms', what: 'decisions meanwhile, P99.9 in ms', atMost: 25, isTime: true },
  ],
  run: (run) => cutOff(run),
  mutant: {
    title: 'no local share (RATELIMIT_STORE_DOWN=allow)',
    breaks: 'excess',
    run: (run) => cutOff(run, { env: { RATELIMIT_STORE_DOWN: 'allow' } }),
  },
  async obstacle() {
    if (getuid?.() !== 0) return 'only root may make network namespaces';
    const name = `tgp${randomUUID().slice(0, 6)}`;
    try {
      await ip('netns', 'add', name);
      await ip('netns', 'del', name);
      return undefined;
    } catch (error) {
      return `no network namespaces here: ${String(error).split('\n', 1)[0]}`;
    }
  },
};

async function cutOff(run: Run, options: StandOptions = {}): Promise<Figures> {
  const network = await startRedisApart(run);
  const { cluster, probe } = await startStand(run, { ...options, redisUrlFor: async () => network.url });
  const cuts = { oneWay: network.loseAnswers, twoWays: network.loseAll };
  const degraded: Record<string, number> = {};
  const bounds: number[] = [];
  let recoveryMs = 0;
  const beganMs = Date.now();
  for (const [name, cut] of Object.entries(cuts)) {
    const [before, fromMs] = [await lookAtTimes(cluster.usage.envoyAdminUrl, 'ratelimit'), Date.now()];
    const mend = await cut();
    await probe.seconds(sized(run, 10, 20));
    bounds.push(boundOf(before, await lookAtTimes(cluster.usage.envoyAdminUrl, 'ratelimit'), 0.999));
    await mend();
    const backMs = Date.now();
    degraded[name] = count(during(probe.answers, fromMs, backMs), ({ isDegraded }) => isDegraded);
    recoveryMs = Math.max(recoveryMs, await untilRedisDecides(probe, backMs));
    await probe.seconds(2);
  }
  await probe.stop();
  const { answers } = probe;
  return {
    ...(await countedFigures(cluster, answers)),
    ...degraded,
    excess: excessIn(answers),
    ...percentiles(during(answers, beganMs, Date.now())),
    decisionP999Ms: Math.max(...bounds),
    recoveryMs,
  };
}

/** A Redis in a network of its own, behind one line that can be cut. */
async function startRedisApart(run: Run) {
  const id = randomUUID().slice(0, 6);
  const [name, ours, theirs] = [`tgp${id}`, `tga${id}`, `tgb${id}`];
  // Of the block for documentation and tests of networks; which of its parts is chance, for runs beside each other.
  const net = `198.18.${Number.parseInt(id.slice(0, 2), 16)}`;
  await ip('netns', 'add', name);
  run.onEnd(() => ip('netns', 'del', name));
  await ip('link', 'add', ours, 'type', 'veth', 'peer', 'name', theirs, 'netns', name);
  await ip('addr', 'add', `${net}.1/30`, 'dev', ours);
  await ip('link', 'set', ours, 'up');
  await ip('-n', name, 'addr', 'add', `${net}.2/30`, 'dev', theirs);
  await ip('-n', name, 'link', 'set', theirs, 'up');
  const { folder, runFolder } = await newRunFolder('redis-apart');
  const server = ['--bind', `${net}.2`, '--port', String(PORT), '--protected-mode', 'no', '--dir', folder, '--save', ''];
  const redis = await startBackgroundProcess({
    command: 'ip',
    args: ['netns', 'exec', name, needRunVariable('TEST_REDIS_SERVER'), ...server],
    logFile: join(folder, 'redis.log'),
    hasOwnGroup: true,
    record: { folder: runFolder, name: 'redis' },
  });
  run.onEnd(() => stopInSteps(redis, [{ signal: 'SIGTERM', waitMs: 5_000 }]));
  await until(async () => (await redisCommandAt(`${net}.2`, PORT, 'PING')) === 'PONG', 20_000, 'the Redis apart');
  const back = ['route', 'add', 'blackhole', `${net}.1/32`];
  return {
    url: `redis://${net}.2:${PORT}`,
    async loseAnswers() {
      await ip('-n', name, ...back);
      return () => ip('-n', name, 'route', 'del', 'blackhole', `${net}.1/32`);
    },
    async loseAll() {
      await ip('-n', name, 'link', 'set', theirs, 'down');
      return () => ip('-n', name, 'link', 'set', theirs, 'up');
    },
  };
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { redisCommand } from '@tollgate/testing/redis-command';
import { PROJECT } from '../../e2e/gateway.js';
import { countedFigures, untilRedisDecides } from '../common-figures.js';
import { type Fault, type Figures, type Run, sized } from '../fault.js';
import type { MutantProgram } from '../mutants.js';
import { count, during, percentiles } from '../probe.js';
import { type StandOptions, startStand } from '../stand.js';

const FLUSHES = 5;
const BACK_DEADLINE_MS = 30_000;

const NO_SECOND_SENDING: MutantProgram = {
  role: 'ratelimit',
  name: 'no-eval',
  changes: [
    {
      file: 'packages/limit-store/src/redis/redis-limit-store.ts',
      from: "error.message.startsWith('NOSCRIPT')",
      to: "error.message.startsWith('NO SUCH ANSWER')",
    },
  ],
};

export const redisForgets: Fault = {
  id: 'F4',
  title: 'Redis forgets its scripts, and is made a replica',
  promise:
    'A forgotten script is sent again within the take; a replica is left for the local share, asked once a second, and taken up again.',
  acceptance: [
    { figure: 'flushes', what: 'times the scripts were forgotten', atLeast: FLUSHES },
    { figure: 'degradedByFlush', what: 'decisions without Redis because of a forgotten script', atMost: 0 },
    { figure: 'degraded', what: 'decisions without Redis while it is a replica', atLeast: 50 },
    { figure: 'failed', what: 'failed requests', atMost: 0 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'unlimited', what: 'requests that nobody limited', atMost: 0 },
    { figure: 'connects', what: 'new connections an instance and second while it is a replica', atMost: 1.2 },
    { figure: 'recoveryMs', what: 'until Redis decides again, ms', atMost: BACK_DEADLINE_MS },
    { figure: 'lost', what: 'lost usage', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
  ],
  run: (run) => hurtRedis(run),
  mutant: {
    title: 'a script is never sent again',
    breaks: 'degradedByFlush',
    // It could not even begin where the script is not there at first.
    run: (run) => hurtRedis(run, { mutants: [NO_SECOND_SENDING], redisUrlFor: knowingTheScript }),
  },
};

async function knowingTheScript(url: string): Promise<string> {
  const script = await readFile(join(PROJECT, 'packages/limit-store/src/redis/take.lua'), 'utf8');
  await redisCommand(Number(new URL(url).port), 'SCRIPT', 'LOAD', script);
  return url;
}

async function hurtRedis(run: Run, options: StandOptions = {}): Promise<Figures> {
  const { cluster, redis, probe } = await startStand(run, options);
  const tell = (...command: string[]) => redisCommand(Number(new URL(redis.url).port), ...command);
  const connections = async () => Number(/total_connections_received:(\d+)/.exec(await tell('INFO', 'stats'))?.[1]);
  const beganMs = Date.now();
  for (let i = 0; i < FLUSHES; i++) {
    await tell('SCRIPT', 'FLUSH');
    await probe.seconds(1);
  }
  const replicaMs = Date.now();
  const before = await connections();
  await tell('REPLICAOF', '127.0.0.1', '1');
  const seconds = sized(run, 4, 15);
  await probe.seconds(seconds);
  // Less the one that asks.
  const connects = ((await connections()) - before - 2) / cluster.ratelimit.length / seconds;
  await tell('REPLICAOF', 'NO', 'ONE');
  const backMs = Date.now();
  const recoveryMs = await untilRedisDecides(probe, backMs, BACK_DEADLINE_MS).catch(() => undefined);
  await probe.stop();
  const { answers } = probe;
  return {
    ...(await countedFigures(cluster, answers)),
    flushes: FLUSHES,
    degradedByFlush: count(during(answers, beganMs, replicaMs), ({ isDegraded }) => isDegraded),
    degraded: count(during(answers, replicaMs, backMs), ({ isDegraded }) => isDegraded),
    connects,
    ...percentiles(during(answers, beganMs, backMs)),
    ...(recoveryMs !== undefined && { recoveryMs }),
  };
}

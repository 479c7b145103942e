import { join } from 'node:path';
import { PROJECT } from '../../e2e/gateway.js';
import { countedFigures, excessOf } from '../common-figures.js';
import { type Fault, type Figures, type Run, sized } from '../fault.js';
import type { MutantProgram } from '../mutants.js';
import { count, percentiles } from '../probe.js';
import { type StandOptions, startStand } from '../stand.js';

const CLOCK_OF_THE_SERVICE: MutantProgram = {
  role: 'ratelimit',
  name: 'own-clock',
  changes: [
    {
      file: 'packages/limit-store/src/redis/take-script.ts',
      from: 'export const TAKE_SCRIPT = ',
      to: 'const WRITTEN = ',
    },
    {
      file: 'packages/limit-store/src/redis/take-script.ts',
      from: 'export const TAKE_SCRIPT_SHA = ',
      to: "export const TAKE_SCRIPT = WRITTEN.replace(\"redis.call('TIME')\", '{tonumber(ARGV[#ARGV]), 0}');\nexport const TAKE_SCRIPT_SHA = ",
    },
    {
      file: 'packages/limit-store/src/redis/take-script.ts',
      from: 'return [keys.length, ...keys, ...args];',
      to: 'return [keys.length, ...keys, ...args, Math.floor(Date.now() / 1000)];',
    },
  ],
};

export const clocksWrong: Fault = {
  id: 'F13',
  title: 'the clocks of two instances are ten minutes apart',
  promise: 'Limits count by the clock of Redis alone, and the time of an event is Envoy’s.',
  acceptance: [
    { figure: 'asked', what: 'requests of the caller with a tight limit', atLeast: 200 },
    { figure: 'excess', what: 'requests above its limit', atMost: 0 },
    { figure: 'failed', what: 'failed requests', atMost: 0 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'unlimited', what: 'requests that nobody limited', atMost: 0 },
    { figure: 'misplaced', what: 'events whose time is not that of the run', atMost: 0 },
    { figure: 'lost', what: 'lost usage', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
  ],
  run: (run) => shiftClocks(run),
  mutant: {
    title: 'a script that is told the time by the service',
    breaks: 'excess',
    run: (run) => shiftClocks(run, { mutants: [CLOCK_OF_THE_SERVICE] }),
  },
};

async function shiftClocks(run: Run, options: StandOptions = {}): Promise<Figures> {
  const fromMs = Date.now();
  const NODE_OPTIONS = `--import=${join(PROJECT, 'proof', 'shift-clock.mjs')}`;
  const { cluster, probe } = await startStand(run, { ...options, env: { NODE_OPTIONS } });
  await probe.seconds(sized(run, 8, 30));
  await probe.stop();
  const { answers } = probe;
  const tight = answers.filter(({ caller }) => caller === 'tight');
  const seconds = (Math.max(...tight.map(({ endedAtMs }) => endedAtMs)) - (tight[0]?.sentAtMs ?? 0)) / 1000;
  const passed = count(tight, ({ status, isLimited, isDegraded }) => status === 200 && isLimited && !isDegraded);
  const counted = await countedFigures(cluster, answers);
  const [row] = await cluster.db.query<{ misplaced: number }>(
    'SELECT count(*)::int AS misplaced FROM usage_events WHERE time NOT BETWEEN $1 AND now()',
    [new Date(fromMs)],
  );
  return {
    ...counted,
    asked: tight.length,
    excess: excessOf(passed, seconds),
    ...(row && { misplaced: row.misplaced }),
    ...percentiles(answers),
  };
}

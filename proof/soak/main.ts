/** Half an hour of load with faults in turn: what grows, and what is lost? */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setup, teardown } from '@tollgate/testing/global-setup';
import { isHeld, judge, lineOf, shown } from '../judge.js';
import { provenance, writeSoak } from '../report.js';
import { withCleanUp } from '../run-faults.js';
import { SOAK_ACCEPTANCE, type SoakOutcome, soak } from './soak.js';
import type { Soak } from './soak-report.js';

const HELP = `npm run soak [-- options]

Keeps the gateway under a steady load while Redis, PostgreSQL and Kafka are killed in turn, and looks at what the services hold
after a garbage collection, early and at the end. Writes reports/soak.json and a section of docs/reliability.md.

  --minutes 30   how long
  --rps 500      requests a second
  --seed 1       for what is left to chance
  --counts       times are taken and not judged: for a machine that is busy with other things
  --dry          write nothing
  --help         this text`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    rps: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    counts: { type: 'boolean', default: false },
    dry: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.info(HELP);
  process.exit();
}
/** Starting, storing what is left, and a fault that takes its whole deadline. */
const LONGEST_END_MS = 900_000;

const root = fileURLToPath(new URL('../..', import.meta.url));
const [minutes, rate] = [Number(values.minutes), Number(values.rps)];
const say = (line: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);

const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => ending.abort());
const judgesTimes = !values.counts;

await setup();
let outcome: SoakOutcome;
try {
  const options = { size: 'full', judgesTimes, rate, seed: Number(values.seed), say, signal: ending.signal } as const;
  outcome = await withCleanUp(options, (run) => soak(run, minutes), 2 * minutes * 60_000 + LONGEST_END_MS);
} finally {
  await teardown();
}
const checks = judge(SOAK_ACCEPTANCE, outcome.figures, judgesTimes);
const report: Soak = {
  minutes,
  ran: await provenance(root, rate),
  outcome: isHeld(checks) && outcome.reason === undefined ? 'held' : 'broken',
  ...outcome,
  checks,
};
for (const check of checks) say(lineOf(check));
for (const [name, ms] of Object.entries(outcome.loops)) say(`event loop of ${name}: P99 ${shown(ms)} ms`);
for (const { name, heapMb, files } of outcome.looks.late) say(`${name}: ${shown(heapMb)} MB of heap, ${files} files`);
if (!values.dry) await writeSoak(root, report);
say(`${report.outcome}${outcome.reason === undefined ? '' : `: ${outcome.reason}`}`);
process.exit(report.outcome === 'held' ? 0 : 1);

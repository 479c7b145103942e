/** Half an hour of load with faults in turn: what grows, and what is lost? */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setup, teardown } from '@tollgate/testing/global-setup';
import { isHeld, judge, lineOf } from '../judge.js';
import { provenance, writePage } from '../report.js';
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
const root = fileURLToPath(new URL('../..', import.meta.url));
const [minutes, rate] = [Number(values.minutes), Number(values.rps)];
const say = (line: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);

await setup();
const closers: (() => Promise<unknown>)[] = [];
let outcome: SoakOutcome;
try {
  const run = {
    size: 'full',
    rate,
    seed: Number(values.seed),
    say,
    onEnd: (close: () => Promise<unknown>) => void closers.push(close),
  };
  outcome = await soak({ ...run, size: 'full' }, minutes);
} finally {
  for (const close of closers.reverse()) await close();
  await teardown();
}
const checks = judge(SOAK_ACCEPTANCE, outcome.figures, !values.counts);
const report: Soak = {
  minutes,
  ran: await provenance(root, rate),
  outcome: isHeld(checks) ? 'held' : 'broken',
  ...outcome,
  checks,
};
for (const check of checks) say(lineOf(check));
if (!values.dry) {
  await writeFile(join(root, 'reports', 'soak.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  await writePage(root);
}
process.exit(report.outcome === 'held' ? 0 : 1);

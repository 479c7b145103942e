/** Makes parts of the stack fail, one after the other, and writes down what held. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setup, teardown } from '@tollgate/testing/global-setup';
import { FAULTS } from './faults/all.js';
import { resultsOf, writeResults } from './report.js';
import { type FaultResult, runFault } from './run-faults.js';
import { isBad, summaryOf } from './summary.js';

const HELP = `npm run proof [-- options]

Starts the gateway on real servers, makes a part of it fail, and counts what callers and the ledger see; then does it once more
with a protection switched off, which must be seen. Writes reports/reliability.json and docs/reliability.md after each fault, also
where one does not hold; then it goes on, and ends with exit code 1.

  --small            minutes instead of an hour: the faults of every change, counts only; writes reports/reliability-small.json
  --counts           times are taken and not judged: for a machine that is busy with other things
  --only F1,F5       these faults; the figures of the others stay as they are
  --rate 500         requests a second of the probe (200 with --small)
  --seed 1           for what is left to chance
  --help             this text; the faults:

${FAULTS.map(({ id, title, isSmall }) => `  ${id.padEnd(4)} ${title}${isSmall ? ' (small)' : ''}`).join('\n')}`;

const root = fileURLToPath(new URL('..', import.meta.url));
const say = (line: string): void => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);

const { values } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    counts: { type: 'boolean', default: false },
    only: { type: 'string' },
    rate: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.info(HELP);
  process.exit();
}
const only = values.only?.split(',').map((id) => id.trim().toUpperCase());
const unknown = only?.filter((id) => !FAULTS.some((fault) => fault.id === id)) ?? [];
if (unknown.length > 0) {
  console.error(`There is no fault ${unknown.join(', ')}: ${FAULTS.map(({ id }) => id).join(', ')}.`);
  process.exit(2);
}
const chosen = FAULTS.filter(({ id, isSmall }) => only?.includes(id) ?? (!values.small || isSmall));
const size = values.small ? 'small' : 'full';
const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => ending.abort());
const judgesTimes = !values.small && !values.counts;
const options = {
  judgesTimes,
  size,
  signal: ending.signal,
  rate: Number(values.rate ?? (values.small ? 200 : 500)),
  seed: Number(values.seed),
  say,
} as const;

const results: FaultResult[] = [];
await setup();
try {
  for (const [index, fault] of chosen.entries()) {
    say(`${index + 1} of ${chosen.length}: ${fault.id}`);
    const result = await runFault(fault, options);
    if (ending.signal.aborted) break;
    results.push(result);
    // After each, so that a run that is ended has written what it has found.
    await writeResults(root, await resultsOf(root, result, options, FAULTS));
  }
} finally {
  await teardown();
}
const bad = results.filter(isBad);
const idle = results.filter(({ outcome }) => outcome === 'not run');
const list = (some: readonly FaultResult[]) => (some.length === 0 ? '' : ` (${some.map(({ id }) => id).join(', ')})`);
for (const result of results) for (const line of summaryOf(result)) say(line);
say(`${results.length - bad.length - idle.length} held, ${bad.length} did not${list(bad)}, ${idle.length} not run${list(idle)}`);
if (results.length < chosen.length) say(`ended before ${chosen.length - results.length} of ${chosen.length} faults were run`);
process.exit(bad.length > 0 || results.length < chosen.length ? 1 : 0);

import { runPoison } from '../../e2e/poison/run.js';
import { type Fault, type Figures, type Run, sized } from '../fault.js';
import { buildMutant, type MutantProgram } from '../mutants.js';

const MUTANT_VALUES = 10_000;

const NO_DEAD_LETTERS: MutantProgram = {
  role: 'writer',
  name: 'no-dead-letters',
  changes: [
    {
      file: 'usage-processor/src/writer/store-batch.ts',
      from: '} else judged.deadLetters.push({ offset, value, reason: parsed.reason });',
      to: '}',
    },
  ],
};

export const poison: Fault = {
  id: 'F15',
  title: 'one value in a hundred is poison, of every kind',
  promise: 'Each becomes a dead letter with its reason, once, and no good event is lost or held up.',
  acceptance: [
    { figure: 'n', what: 'values in the topic', atLeast: 10_000 },
    { figure: 'lost', what: 'lost events', atMost: 0 },
    { figure: 'doubled', what: 'doubled events', atMost: 0 },
    {
      figure: 'wrong',
      what: 'events and sums that are not those of the oracle, poison without a dead letter, dead letters of no poison',
      atMost: 0,
    },
    { figure: 'silentMs', what: 'longest time without any progress, ms', atMost: 5_000, isTime: true },
    { figure: 'stillMs', what: 'longest time on one offset, ms', atMost: 5_000, isTime: true },
  ],
  run: (run) => storePoison(run, sized(run, 20_000, 1_000_000)),
  mutant: {
    title: 'a writer that skips what it cannot read',
    breaks: 'wrong',
    run: async (run) => storePoison(run, MUTANT_VALUES, await buildMutant(NO_DEAD_LETTERS)),
  },
};

async function storePoison({ seed }: Run, values: number, writer?: string): Promise<Figures> {
  const { found, standing } = await runPoison({ seed, values, poison: values / 100, ...(writer && { programs: { writer } }) });
  const { lost, doubled, wrong, letterless, lettersTooMany, hoursOff } = found;
  return {
    n: values,
    lost,
    doubled,
    wrong: wrong + letterless + lettersTooMany + hoursOff,
    stillMs: standing.stillMs,
    silentMs: standing.silentMs,
  };
}

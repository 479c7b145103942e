/** Faults of the way from the collector to the ledger: each event told must be there once, and the sums those of an oracle. */
import type { Fault as Harm } from '../../e2e/exactly-once/faults.js';
import { type RunOptions, runExactlyOnce } from '../../e2e/exactly-once/run.js';
import { type Acceptance, type Fault, type Figures, type Run, sized } from '../fault.js';
import { buildMutant, type MutantProgram } from '../mutants.js';

/** Small enough for a mutant, which is found out by the first row. */
const MUTANT_EVENTS = 10_000;
/** Without its key the table takes a second copy, as one with another key would. */
const NO_KEY = 'ALTER TABLE usage_events DROP CONSTRAINT usage_events_pkey';

const EXACT: readonly Acceptance[] = [
  { figure: 'n', what: 'events told', atLeast: 10_000 },
  { figure: 'lost', what: 'lost events', atMost: 0 },
  { figure: 'doubled', what: 'doubled events', atMost: 0 },
  { figure: 'wrong', what: 'events, sums and offsets that are not those of the oracle', atMost: 0 },
];

interface Told {
  id: string;
  title: string;
  promise: string;
  /** How often which harm is done, in a small and in a whole run. */
  harm?: { kind: Harm; small: number; full: number };
  mutant: Omit<Fault['mutant'], 'run'> & Partial<RunOptions> & { sql?: string; program?: MutantProgram; harms?: readonly Harm[] };
}

const SENDS_ONCE: MutantProgram = {
  role: 'collector',
  name: 'sends-once',
  changes: [{ file: 'packages/event-log/src/kafka/producing.ts', from: 'throw explained(error);', to: 'explained(error);' }],
};

const FAULTS_OF_USAGE: readonly Told[] = [
  {
    id: 'F8',
    title: 'the Kafka broker is killed (one broker, kill -9)',
    promise: 'What was acknowledged is there afterwards, and what was not is sent again.',
    harm: { kind: 'broker', small: 1, full: 10 },
    mutant: {
      title: 'a collector that takes for sent what Kafka did not acknowledge',
      breaks: 'lost',
      program: SENDS_ONCE,
      harms: Array(5).fill('broker'),
    },
  },
  {
    id: 'F9',
    title: 'writers join and leave without end',
    promise: 'A writer whose partitions went to another stores nothing of them.',
    harm: { kind: 'rebalance', small: 2, full: 17 },
    mutant: { title: 'no fence at the offset', breaks: 'wrong', mutant: 'no fence', harms: ['zombie at its worst'] },
  },
  {
    id: 'F10',
    title: 'a writer is killed in mid-batch (kill -9)',
    promise: 'Rows and offset are stored in one transaction, so that a batch is stored whole or not at all.',
    harm: { kind: 'writer', small: 3, full: 20 },
    mutant: {
      title: 'offsets before rows',
      breaks: 'lost',
      mutant: 'offsets before rows',
      harms: Array(2).fill('writer at its worst'),
    },
  },
  {
    id: 'F16',
    title: '30 % come twice, a partition is read again, a topic is made anew',
    promise: 'The key of the table refuses every second copy.',
    mutant: { title: 'a table without its key', breaks: 'doubled', mutant: 'no conflict clause', sql: NO_KEY },
  },
  {
    id: 'F17',
    title: 'events come an hour, three days and 35 days late, out of order',
    promise: 'The sums of hours and of organizations are equal to the oracle’s, to the unit.',
    mutant: { title: 'hours summed from what came in, copies too', breaks: 'wrong', mutant: 'hours from the input' },
  },
];

export const exactlyOnce: readonly Fault[] = FAULTS_OF_USAGE.map(({ harm, mutant, ...about }) => ({
  ...about,
  acceptance: EXACT,
  run: (run) => {
    const events = sized(run, 20_000, 200_000);
    const harms = harm === undefined ? [] : Array<Harm>(sized(run, harm.small, harm.full)).fill(harm.kind);
    return storeAll(run, {
      events,
      faults: harms,
      epochCalls: events / 40,
    });
  },
  mutant: {
    ...{ title: mutant.title, breaks: mutant.breaks },
    run: async (run) => {
      const { sql, program, harms = [], mutant: name } = mutant;
      return storeAll(run, {
        ...{ events: MUTANT_EVENTS, faults: harms, epochCalls: 250 },
        ...(name && { mutant: name }),
        ...(program && { programs: { [program.role]: await buildMutant(program) } }),
        ...(sql && { prepare: async (pipeline) => void (await pipeline.sql(sql)) }),
      });
    },
  },
}));

async function storeAll(run: Run, options: Omit<RunOptions, 'seed'>): Promise<Figures> {
  const { faults, events } = options;
  const found = await runExactlyOnce({
    ...{ seed: run.seed, drainDeadlineMs: 240_000 + events, ...options },
    tell: (fault) => run.say(`  ${fault}`),
  });
  const { lost, doubled, invented, changed, organizationsOff, hoursOff, deadLetters, offsetsBack } = found;
  const wrong = invented + changed + organizationsOff + hoursOff + Math.abs(deadLetters) + offsetsBack;
  return { n: events, lost, doubled, wrong, harms: faults.length };
}

import { expect, test } from 'vitest';
import type { Fault } from './exactly-once/faults.js';
import type { Differences } from './exactly-once/ledger.js';
import { runExactlyOnce } from './exactly-once/run.js';

const EVENTS = 10_000;
/** So few that calls are told for some ten seconds: a writer that is stopped at its first batch has a later one behind it. */
const EPOCH_CALLS = 400;
const SEED = 20_261_126;
const TEST_TIMEOUT_MS = 300_000;
/** Without its key the table takes a second copy, as one with another key would. */
const NO_KEY = 'ALTER TABLE usage_events DROP CONSTRAINT usage_events_pkey';

/** Each breaks one rule in every writer; the test of exactly-once must see it, by these differences among others. */
const MUTANTS: [mutant: string, faults: readonly Fault[], seen: (found: Differences) => boolean, setUp?: string][] = [
  ['offsets before rows', ['writer at its worst', 'writer at its worst'], ({ lost }) => lost > 0],
  ['no conflict clause', ['writer'], ({ doubled }) => doubled > 0, NO_KEY],
  ['time of the consumer', [], ({ doubled, changed }) => doubled > 0 && changed > 0],
  ['no fence', ['zombie at its worst'], ({ offsetsBack }) => offsetsBack > 0],
  ['hours from the input', [], ({ hoursOff, organizationsOff }) => hoursOff > 0 && organizationsOff === 0],
];

test.each(MUTANTS)('a writer with "%s" is found out', { timeout: TEST_TIMEOUT_MS }, async (mutant, faults, seen, setUp) => {
  const prepare =
    setUp === undefined ? {} : { prepare: ({ sql }: Parameters<NonNullable<Prepare>>[0]) => sql(setUp).then(() => {}) };
  const found = await runExactlyOnce({ seed: SEED, events: EVENTS, epochCalls: EPOCH_CALLS, faults, mutant, ...prepare });
  expect(seen(found), JSON.stringify(found)).toBe(true);
});

type Prepare = Parameters<typeof runExactlyOnce>[0]['prepare'];

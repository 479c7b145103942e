import { expect, test } from 'vitest';
import { FAULTS, type Fault } from './exactly-once/faults.js';
import { NO_DIFFERENCE } from './exactly-once/ledger.js';
import { runExactlyOnce } from './exactly-once/run.js';

/** A million by hand: `EXACTLY_ONCE_EVENTS=1000000 EXACTLY_ONCE_FAULTS=30 npx vitest run e2e/exactly-once.test.ts`. */
const EVENTS = Number(process.env['EXACTLY_ONCE_EVENTS'] ?? 50_000);
const FAULT_COUNT = Number(process.env['EXACTLY_ONCE_FAULTS'] ?? FAULTS.length);
const SEED = Number(process.env['EXACTLY_ONCE_SEED'] ?? Date.now() % 2 ** 31);
const TEST_TIMEOUT_MS = 600_000 + EVENTS * 3;

test('whatever is killed at whatever moment, each event told is stored exactly once, and the sums are those of an oracle', {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  console.info(`${EVENTS} events, ${FAULT_COUNT} faults, EXACTLY_ONCE_SEED=${SEED}`);
  const faults = Array.from({ length: FAULT_COUNT }, (_, i) => FAULTS[(i + SEED) % FAULTS.length] as Fault);
  const found = await runExactlyOnce({ seed: SEED, events: EVENTS, faults, poison: 50, drainDeadlineMs: TEST_TIMEOUT_MS / 2 });
  expect(found).toEqual(NO_DIFFERENCE);
});

import { expect, test } from 'vitest';
import { NO_DIFFERENCE, runPoison } from './poison/run.js';

/** A million by hand: `POISON_VALUES=1000000 POISON=10000 npx vitest run e2e/poison.test.ts`. */
const VALUES = Number(process.env['POISON_VALUES'] ?? 20_000);
const POISON = Number(process.env['POISON'] ?? VALUES / 100);
const SEED = Number(process.env['POISON_SEED'] ?? Date.now() % 2 ** 31);
const TEST_TIMEOUT_MS = 300_000 + VALUES * 2;

test('poison of every kind becomes a dead letter, each once, and every good event beside it is stored once', {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  console.info(`${VALUES} values, ${POISON} of them poison, POISON_SEED=${SEED}`);
  const { found, standing } = await runPoison({ seed: SEED, values: VALUES, poison: POISON });
  const { stillMs, partition, offset, silentMs, tookMs } = standing;
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
  console.info(
    `stored within ${seconds(tookMs)} of the first batch; longest on one offset: ${seconds(stillMs)} (partition ${partition}, offset ${offset}); longest without any progress: ${seconds(silentMs)}`,
  );
  expect(found).toEqual(NO_DIFFERENCE);
});

test('a writer that gives up what stands beside a refused event is found out', { timeout: TEST_TIMEOUT_MS }, async () => {
  const { found } = await runPoison({ seed: SEED, values: 5_000, poison: 50, mutant: 'good events refused' });
  expect(found.lost, JSON.stringify(found)).toBeGreaterThan(0);
  expect(found.lettersTooMany).toBe(found.lost);
});

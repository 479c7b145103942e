import { expect, test } from 'vitest';
import { createMemoryLimitStore } from '../../src/memory/memory-limit-store.js';
import { checkAgainstModel, type ModelSubject } from '../limit-model.js';
import { MODEL_COMMANDS, MODEL_RUNS, MODEL_TIME } from '../model-runs.js';
import { NOON } from '../noon.js';

test('in memory: any history of takes, pauses, changed limits and expiries is that of exact buckets', MODEL_TIME, async () => {
  let nowUs = 0;
  // Half a microsecond more, so that the way over milliseconds never loses one.
  const store = createMemoryLimitStore({ now: () => (nowUs + 0.5) / 1_000 });
  const subject: ModelSubject = {
    takeAt(atUs, request) {
      nowUs = atUs;
      return store.take(request);
    },
  };
  const commands = await checkAgainstModel(subject, BigInt(Math.floor(NOON * 1_000)), 10 * MODEL_RUNS);
  console.info(`${commands} commands in memory`);
  expect(commands).toBeGreaterThanOrEqual(10 * MODEL_COMMANDS);
});

import { monthPeriod } from '@tollgate/domain/period';
import { freshRedis } from '@tollgate/testing/redis';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TakeRequest, TakeResult } from '../../src/limit-store.js';
import { createMemoryLimitStore } from '../../src/memory/memory-limit-store.js';
import { resultsFrom, scriptArguments, TAKE_SCRIPT } from '../../src/redis/take-script.js';
import { anyCost, anyLimitsOfAllKinds, anyStepMs } from '../any-requests.js';
import { dayQuota, monthQuota, rate } from '../limit-store-behaves.js';
import { argumentsOf, resultOf } from './one-take.js';

/** The script with the clock as its last two arguments, so that a test can move it. */
const SCRIPT_BY_GIVEN_CLOCK = TAKE_SCRIPT.replace("redis.call('TIME')", '{ARGV[#ARGV - 1], ARGV[#ARGV]}');
/** Far ahead of the real clock, by which Redis expires keys. */
const START_MS = Date.UTC(2070, 1, 10, 12) + 0.25;

let redis: Redis;
let close: () => Promise<void>;
beforeAll(async () => {
  const server = await freshRedis();
  redis = new Redis(server.url);
  close = server.close;
});
afterAll(async () => {
  redis.disconnect();
  await close();
});

test('the script decides as the store in memory does, to the number, whatever is asked and whatever the clock does', async () => {
  expect(SCRIPT_BY_GIVEN_CLOCK).not.toBe(TAKE_SCRIPT);
  let organization = 0;
  const steps = fc.array(fc.record({ advanceMs: anyStepMs, cost: anyCost, limits: anyLimitsOfAllKinds }), {
    minLength: 1,
    maxLength: 20,
  });
  await fc.assert(
    fc.asyncProperty(steps, async (history) => {
      const organizationId = `organization-${organization++}`;
      let nowMs = START_MS;
      const memory = createMemoryLimitStore({ now: () => nowMs });
      for (const { advanceMs, cost, limits } of history) {
        nowMs += advanceMs;
        const request = { organizationId, cost, limits };
        expect(await takeAt(nowMs, request)).toEqual(await memory.take(request));
      }
    }),
    { numRuns: 300 },
  );
});

/** Takes of two organizations, with the same limits now and then. */
const anyTogether = fc.array(fc.record({ organization: fc.constantFrom('a', 'b'), cost: anyCost, limits: anyLimitsOfAllKinds }), {
  minLength: 1,
  maxLength: 12,
});

async function checkTogether(script: string): Promise<void> {
  let run = 0;
  const batches = fc.array(fc.record({ advanceMs: anyStepMs, takes: anyTogether }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(batches, async (history) => {
      run++;
      let nowMs = START_MS;
      const memory = createMemoryLimitStore({ now: () => nowMs });
      for (const { advanceMs, takes } of history) {
        nowMs += advanceMs;
        const requests = takes.map(({ organization, ...take }) => ({
          organizationId: `together-${run}-${organization}`,
          ...take,
        }));
        const results = resultsFrom(await redis.eval(script, ...scriptArguments(requests), ...clockOf(nowMs)), requests);
        for (const [i, request] of requests.entries()) expect(results[i]).toEqual(await memory.take(request));
      }
    }),
    { numRuns: 300 },
  );
}

test('takes that are decided together come out as if they had been asked for one after the other', async () => {
  await redis.flushdb();
  await checkTogether(SCRIPT_BY_GIVEN_CLOCK);
});

test.for([
  ['that does not see what the takes before took', 'saved[key] = format(form, amount, at)', 'keep_until_ms[key .. "x"] = nil'],
  ['that keeps only the last', "redis.call('SET', key, saved[key]", "redis.call('SET', keys[#keys], saved[key]"],
])('a script %s is found out', async ([, from = '', to = '']) => {
  await redis.flushdb();
  const wrong = SCRIPT_BY_GIVEN_CLOCK.replace(from, to);
  expect(wrong).not.toBe(SCRIPT_BY_GIVEN_CLOCK);
  await expect(checkTogether(wrong)).rejects.toThrow('Property failed');
});

test('a clock that had been wrong by hours locks nobody out, and what it had saved counts no more', async () => {
  const emptied = { organizationId: 'wrong clock', cost: 2, limits: [rate(60, 2)] };
  await takeAt(START_MS, emptied);
  const denied = await takeAt(START_MS - 3_600_000, emptied);
  expect(denied).toMatchObject({ isAllowed: false, states: [{ waitMs: 2_000 }] });
  expect((await takeAt(START_MS - 3_600_000 + 1_999, emptied)).isAllowed).toBe(false);
  expect((await takeAt(START_MS - 3_600_000 + 2_000, emptied)).isAllowed).toBe(true);

  const quota = (cost: number) => ({ organizationId: 'wrong clock', cost, limits: [dayQuota(2)] });
  await takeAt(START_MS, quota(2));
  expect(await takeAt(START_MS - 86_400_000, quota(0))).toMatchObject({ states: [{ remaining: 2 }] });
  expect(await takeAt(START_MS, quota(0))).toMatchObject({ states: [{ remaining: 2 }] });
});

test('a clock that went back by less than a minute gives nothing twice', async () => {
  const request = (cost: number) => ({ organizationId: 'small step', cost, limits: [rate(60, 2), dayQuota(9)] });
  const midnightMs = Date.UTC(2070, 1, 11);
  await takeAt(midnightMs, request(2));
  const denied = await takeAt(midnightMs - 30_000, request(1));
  expect(denied.states).toMatchObject([
    { remaining: 0, waitMs: 31_000 },
    { remaining: 7, waitMs: 0 },
  ]);
  expect((await takeAt(midnightMs + 999, request(1))).isAllowed).toBe(false);
  expect((await takeAt(midnightMs + 1_000, request(1))).isAllowed).toBe(true);
});

test('the calendar of the script is that of the domain, for every anchor day and across leap years', async () => {
  const days: number[] = [];
  for (let atMs = Date.UTC(2027, 11, 25); atMs < Date.UTC(2029, 3, 5); atMs += 43_200_000) days.push(atMs);
  for (const year of [2099, 2100, 2101, 2104, 2200])
    for (const month of [0, 1, 2, 11]) days.push(Date.UTC(year, month, 28, 23, 59, 59, 999));
  const anchors = [1, 2, 15, 28, 29, 30, 31];
  const limits = anchors.map((anchorDay) => ({ ...monthQuota(1, anchorDay), id: `month-${anchorDay}` }));
  for (const atMs of days) {
    const { states } = await takeAt(atMs, { organizationId: 'calendar', cost: 0, limits });
    expect(states.map((state) => state.resetAtMs)).toEqual(anchors.map((anchorDay) => monthPeriod(anchorDay, atMs).endMs));
  }
});

async function takeAt(nowMs: number, request: TakeRequest): Promise<TakeResult> {
  return resultOf(await redis.eval(SCRIPT_BY_GIVEN_CLOCK, ...argumentsOf(request), ...clockOf(nowMs)), request);
}

/** As TIME answers: seconds, and microseconds. */
function clockOf(nowMs: number): [number, number] {
  const nowUs = Math.floor(nowMs * 1_000);
  return [Math.floor(nowUs / 1_000_000), nowUs % 1_000_000];
}

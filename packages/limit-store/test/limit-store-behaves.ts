import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { dayPeriod, monthPeriod } from '@tollgate/domain/period';
import { afterEach, beforeEach, describe, test } from 'vitest';
import type { LimitState, LimitStore, StoreLimit, TakeResult } from '../src/limit-store.js';
import { look } from '../src/look.js';
import { type Passed, worstExcess } from './window-bound.js';

/** Windows of this length end once a year, so hardly ever in the middle of a test. */
const YEAR_MS = 31_536_000_000;

export interface Subject {
  store: LimitStore;
  /** Lets at least so much of the store's own time pass. */
  advance(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** Every promise of the seam, by name: it rejects where this store breaks it. Slow rates make real time irrelevant. */
export const PROMISES: Record<string, (subject: Subject) => Promise<void>> = {
  async 'a new bucket holds its burst and nothing more'({ store }) {
    const take = taker(store, [rate(1, 3)]);
    assert.deepEqual([only(await take(1)).remaining, only(await take(1)).remaining, only(await take(1)).remaining], [2, 1, 0]);
    const denied = await take(1);
    assert.equal(denied.isAllowed, false);
    assert.equal(only(denied).remaining, 0);
  },

  async 'a denial tells the true wait: then it fits, and before it does not'({ store, advance }) {
    const take = taker(store, [rate(1_200, 3)]);
    await take(3);
    const denied = await take(2);
    const waitMs = only(denied).waitMs;
    assert.ok(waitMs > 0 && waitMs <= 100, `two requests come back in 100 ms, not ${waitMs}`);
    let last: TakeResult;
    do {
      await advance(1);
      last = await take(2);
      if (!last.isAllowed) assert.ok(last.nowMs <= denied.nowMs + waitMs, 'denied after the wait');
    } while (!last.isAllowed);
    assert.ok(last.nowMs >= denied.nowMs + waitMs - 1, 'allowed before the wait');
    const again = await take(3);
    await advance(only(again).waitMs);
    assert.equal((await take(3)).isAllowed, true);
  },

  async 'in any window at most burst + rate × time pass, and all of that for one who always asks'({ store, advance }) {
    const [perMinute, burst] = [60_000, 400];
    const take = taker(store, [rate(perMinute, burst)]);
    const startMs = (await take(burst)).nowMs; // emptied first: a full bucket has no room for the refill of a slow start
    const passed: Passed[] = [{ atMs: startMs, cost: burst }];
    let nowMs = startMs;
    while (nowMs < startMs + 200 || passed.length < 50) {
      const result = await take(1);
      nowMs = result.nowMs;
      if (result.isAllowed) passed.push({ atMs: nowMs, cost: 1 });
      else await advance(0.3);
      assert.ok(nowMs < startMs + 5_000, `only ${passed.length} passed in five seconds`);
    }
    assert.ok(worstExcess(passed, perMinute, burst, 1) <= 0, 'more than the bound passed in some window');
    const used = passed.reduce((sum, { cost }) => sum + cost, 0) + only(await take(0)).remaining;
    const due = burst + nowMs - startMs;
    assert.ok(used >= 0.99 * due - 2, `${used} passed or are left, of ${due}`);
  },

  async 'one who asks every millisecond loses nothing of a slow refill'({ store, advance }) {
    const take = taker(store, [rate(600, 1)]);
    const first = await take(1);
    let [passes, last] = [0, first];
    while (passes < 3) {
      await advance(1);
      last = await take(1);
      if (last.isAllowed) passes++;
      assert.ok(last.nowMs - first.nowMs < 3_000, `only ${passes} passed in three seconds at ten a second`);
    }
    const tookMs = last.nowMs - first.nowMs;
    assert.ok(tookMs >= 299, `three requests came back in ${tookMs} ms instead of 300`);
  },

  async 'a fraction of a request a minute is a rate too'({ store }) {
    const take = taker(store, [rate(10 / 60, 10)]);
    await take(10);
    const state = only(await take(1));
    assert.ok(state.waitMs > 359_000 && state.waitMs <= 360_000, `ten an hour are one in 360 s, not in ${state.waitMs} ms`);
  },

  async 'a limit that denies leaves all the others alone'({ store }) {
    const [minute, day] = [rate(1, 5), dayQuota(2)];
    const take = taker(store, [minute, day]);
    await take(1);
    await take(1);
    const denied = await take(1);
    assert.equal(denied.isAllowed, false);
    assert.deepEqual(denied.states.map(remaining), [3, 0]);
    assert.equal(denied.states[0]?.waitMs, 0);
    assert.ok((denied.states[1]?.waitMs ?? 0) > 0);
    assert.deepEqual((await take(0)).states.map(remaining), [3, 0]);
  },

  async 'a cost is taken whole or not at all'({ store }) {
    const take = taker(store, [rate(1, 10), dayQuota(100)]);
    assert.deepEqual((await take(7)).states.map(remaining), [3, 93]);
    assert.deepEqual((await take(4)).states.map(remaining), [3, 93]);
    assert.deepEqual((await take(3)).states.map(remaining), [0, 90]);
  },

  async 'cost 0 looks, takes nothing, and always fits'({ store }) {
    const take = taker(store, [rate(1, 1), dayQuota(1)]);
    assert.deepEqual((await take(0)).states.map(remaining), [1, 1]);
    await take(1);
    const look = await take(0);
    assert.equal(look.isAllowed, true);
    assert.deepEqual(look.states.map(remaining), [0, 0]);
  },

  async 'a cost above the limit itself never fits'({ store }) {
    const take = taker(store, [rate(1, 5), dayQuota(4)]);
    const denied = await take(6);
    assert.deepEqual([denied.isAllowed, ...denied.states.map((state) => state.waitMs)], [false, Infinity, Infinity]);
    assert.deepEqual((await take(0)).states.map(remaining), [5, 4]);
  },

  async 'a limit of nothing lets nothing through'({ store }) {
    for (const limit of [rate(1, 0), dayQuota(0)]) {
      const denied = await taker(store, [limit])(1);
      assert.deepEqual([denied.isAllowed, only(denied).waitMs, only(denied).remaining], [false, Infinity, 0]);
    }
  },

  async 'without limits everything fits'({ store }) {
    assert.deepEqual([(await taker(store, [])(1)).isAllowed, (await taker(store, [])(1)).states], [true, []]);
  },

  async 'organizations do not share, nor do two limits of one'({ store }) {
    await taker(store, [rate(1, 1)])(1);
    assert.equal((await taker(store, [rate(1, 1)])(1)).isAllowed, true);
    const organizationId = randomUUID();
    await taker(store, [rate(1, 1)], organizationId)(1);
    assert.equal((await taker(store, [{ ...rate(1, 1), id: 'other' }], organizationId)(1)).isAllowed, true);
  },

  async 'the bucket is full at its reset, and not before'({ store, advance }) {
    const take = taker(store, [rate(1_200, 3)]);
    const taken = await take(3);
    const resetAtMs = only(taken).resetAtMs;
    assert.ok(Math.abs(resetAtMs - taken.nowMs - 150) <= 1, `three requests come back in 150 ms, not ${resetAtMs - taken.nowMs}`);
    for (let look = taken; look.nowMs < resetAtMs; await advance(10)) {
      look = await take(0);
      if (only(look).remaining === 3) assert.ok(look.nowMs >= resetAtMs - 1, 'full before its reset');
    }
    assert.equal(only(await take(0)).remaining, 3);
  },

  async 'a day quota ends with the day in UTC, a month quota at the anchor day'({ store }) {
    const months = [1, 15, 31].map((anchorDay): StoreLimit => ({ ...monthQuota(2, anchorDay), id: `month-${anchorDay}` }));
    const take = taker(store, [dayQuota(2), ...months]);
    await take(2);
    const { states, nowMs } = await take(1);
    const ends = [dayPeriod(nowMs).endMs, ...[1, 15, 31].map((anchorDay) => monthPeriod(anchorDay, nowMs).endMs)];
    assert.deepEqual(
      states.map((state) => state.resetAtMs),
      ends,
    );
    for (const { waitMs, resetAtMs } of states) assert.ok(Math.abs(nowMs + waitMs - resetAtMs) <= 1, 'waits for the end');
  },

  async 'a window lets its quota through, begins at a multiple of its length, and begins anew when it ends'({ store, advance }) {
    const lengthMs = 400;
    const take = taker(store, [window(3, lengthMs)]);
    for (let round = 0; round < 3; round++) {
      let [result, passed] = [await take(1), 0];
      const endMs = only(result).resetAtMs;
      assert.equal(endMs % lengthMs, 0);
      for (; result.isAllowed; result = await take(1)) passed++;
      const isInOneWindow = only(result).resetAtMs === endMs;
      if (isInOneWindow) {
        assert.equal(passed, 3);
        assert.ok(Math.abs(result.nowMs + only(result).waitMs - endMs) <= 1, 'waits for the end');
      }
      await advance(only(result).waitMs);
    }
    assert.equal((await take(1)).isAllowed, true);
  },

  async 'a window counts what it denies, and then denies a look as well'({ store }) {
    const take = taker(store, [window(10, YEAR_MS)]);
    const look = await take(0);
    assert.deepEqual([look.isAllowed, only(look).remaining], [true, 10]);
    assert.equal(only(await take(8)).remaining, 2);
    assert.deepEqual([(await take(2)).isAllowed, (await take(0)).isAllowed], [true, true]);
    const denied = await take(5);
    assert.deepEqual([denied.isAllowed, only(denied).remaining], [false, 0]);
    const lookAgain = await take(0);
    assert.deepEqual(
      [lookAgain.isAllowed, lookAgain.nowMs + only(lookAgain).waitMs >= only(lookAgain).resetAtMs - 1],
      [false, true],
    );
  },

  async 'a cost that does not fit uses up what was left of a window, and one above it never fits'({ store }) {
    const take = taker(store, [window(10, YEAR_MS)]);
    await take(8);
    await take(5);
    assert.equal((await take(1)).isAllowed, false);
    assert.equal(only(await taker(store, [window(10, YEAR_MS)])(11)).waitMs, Infinity);
  },

  async 'a window counts what another limit denies; the other limit does not count what a window denies'({ store }) {
    const take = taker(store, [rate(1, 3), window(5, YEAR_MS)]);
    const denied = await take(4);
    assert.deepEqual([denied.isAllowed, ...denied.states.map(remaining)], [false, 3, 1]);
    assert.deepEqual((await take(2)).states.map(remaining), [3, 0]);
  },

  async 'one request a year is one, and comes back after a year'({ store }) {
    const take = taker(store, [rate(60 / (YEAR_MS / 1000), 1)]);
    const taken = await take(1);
    assert.ok(Math.abs(only(taken).resetAtMs - taken.nowMs - YEAR_MS) <= 1, 'full after a year');
    const { waitMs } = only(await take(1));
    assert.ok(waitMs <= YEAR_MS && waitMs > YEAR_MS - 60_000, `waits a year, not ${waitMs} ms`);
  },

  async 'a lowered burst cuts the bucket at once; a raised one fills with time'({ store }) {
    const organizationId = randomUUID();
    await taker(store, [rate(1, 100)], organizationId)(20);
    assert.equal(only(await taker(store, [rate(1, 10)], organizationId)(1)).remaining, 9);
    assert.equal(only(await taker(store, [rate(1, 100)], organizationId)(1)).remaining, 8);
  },

  async 'what was used of a quota stays used when the quota changes'({ store }) {
    const organizationId = randomUUID();
    const left = async (quota: number, cost: number) => only(await taker(store, [dayQuota(quota)], organizationId)(cost));
    assert.equal((await left(10, 10)).remaining, 0);
    assert.equal((await left(25, 5)).remaining, 10);
    assert.deepEqual([(await left(5, 0)).remaining, (await left(5, 1)).waitMs > 0], [0, true]);
    assert.equal((await left(16, 1)).remaining, 0);
  },

  async 'takes at the same moment do not share a request'({ store }) {
    const take = taker(store, [rate(1, 20), dayQuota(1_000)]);
    const results = await Promise.all(Array.from({ length: 50 }, () => take(1)));
    assert.equal(results.filter((result) => result.isAllowed).length, 20);
    assert.deepEqual((await take(0)).states.map(remaining), [0, 980]);
  },

  async 'a limit in shadow never denies, and is as full as if it had'({ store }) {
    const take = taker(store, [shadow(rate(1, 2)), dayQuota(5)]);
    const results = [await take(1), await take(1), await take(1), await take(1)];
    assert.deepEqual(
      results.map(({ isAllowed, states }) => [isAllowed, ...states.map(remaining), (states[0]?.waitMs ?? 0) > 0]),
      [
        [true, 1, 4, false],
        [true, 0, 3, false],
        [true, 0, 2, true],
        [true, 0, 1, true],
      ],
    );
  },

  async 'what an enforced limit denies takes nothing from one in shadow'({ store }) {
    const take = taker(store, [shadow(rate(1, 5)), dayQuota(1)]);
    await take(1);
    const denied = await take(1);
    assert.deepEqual([denied.isAllowed, ...denied.states.map(remaining)], [false, 4, 0]);
  },

  async 'what one limit in shadow would deny takes nothing from another'({ store }) {
    const take = taker(store, [shadow(rate(1, 1)), shadow(dayQuota(9)), { ...rate(1, 7), id: 'key' }]);
    await take(1);
    assert.deepEqual((await take(1)).states.map(remaining), [0, 8, 5]);
    const last = await take(0);
    assert.deepEqual([last.isAllowed, ...last.states.map(remaining)], [true, 0, 8, 5]);
  },

  async 'a limit that leaves its shadow goes on from what was counted in it'({ store }) {
    const organizationId = randomUUID();
    for (let i = 0; i < 4; i++) await taker(store, [shadow(dayQuota(3))], organizationId)(1);
    const denied = await taker(store, [dayQuota(3)], organizationId)(1);
    assert.deepEqual([denied.isAllowed, only(denied).remaining], [false, 0]);
    assert.equal((await taker(store, [dayQuota(4)], organizationId)(1)).isAllowed, true);
  },

  async 'a cost above a limit in shadow passes, and is told that it never would'({ store }) {
    const { isAllowed, states } = await taker(store, [shadow(rate(1, 5)), dayQuota(10)])(6);
    assert.deepEqual([isAllowed, states[0]?.waitMs, ...states.map(remaining)], [true, Infinity, 5, 4]);
  },

  async 'a reset forgets what was counted of the limits that it names, and of no others'({ store }) {
    const organizationId = randomUUID();
    const take = taker(store, [rate(1, 5), dayQuota(9)], organizationId);
    await take(4);
    await taker(store, [rate(1, 5)])(4);
    await store.reset(organizationId, ['minute', 'never used']);
    assert.deepEqual((await take(0)).states.map(remaining), [5, 5]);
    await store.reset(organizationId, []);
    await store.reset(organizationId, ['day']);
    assert.deepEqual((await take(0)).states.map(remaining), [5, 9]);
  },

  async 'a look is told what the take would be told, and takes nothing'({ store }) {
    const limits = [rate(1, 3), shadow(dayQuota(2)), { ...rate(1, 8), id: 'key' }];
    const organizationId = randomUUID();
    for (const cost of [2, 1, 1, 0, 9]) {
      const before = await look(store, { organizationId, cost, limits });
      const again = await look(store, { organizationId, cost, limits });
      assert.deepEqual(again.states.map(remaining), before.states.map(remaining));
      const taken = await store.take({ organizationId, cost, limits });
      assert.equal(before.isAllowed, taken.isAllowed);
      before.states.forEach(({ waitMs }, i) => {
        assert.ok(Math.abs(waitMs - (taken.states[i]?.waitMs ?? Number.NaN)) < 1_000 || waitMs === taken.states[i]?.waitMs);
      });
    }
  },

  async 'a senseless request is the mistake of the caller'({ store }) {
    for (const cost of [-1, 0.5, Number.NaN, Infinity]) await assert.rejects(taker(store, [rate(1, 1)])(cost), RangeError);
    const limits: StoreLimit[] = [
      rate(0, 1),
      rate(Number.NaN, 1),
      rate(1, 0.5),
      dayQuota(-1),
      monthQuota(1, 0),
      monthQuota(1, 32),
      window(-1, 1_000),
      window(1, 0),
      window(1, 0.5),
    ];
    for (const limit of limits) await assert.rejects(taker(store, [limit])(1), RangeError);
    await assert.rejects(taker(store, [rate(1, 1), rate(1, 1)])(1), RangeError);
    for (const organizationId of ['', 'a}b', '{a'])
      await assert.rejects(taker(store, [rate(1, 1)], organizationId)(1), RangeError);
  },

  async 'the store says that it answers'({ store }) {
    await store.ping();
  },
};

export function limitStoreBehaves(name: string, open: () => Promise<Subject>): void {
  describe(`${name}: a limit store`, () => {
    let subject: Subject;
    beforeEach(async () => {
      subject = await open();
    });
    afterEach(() => subject.close());
    for (const [promise, holds] of Object.entries(PROMISES)) test(promise, () => holds(subject));
  });
}

export const rate = (perMinute: number, burst: number): StoreLimit => ({ kind: 'rate', id: 'minute', perMinute, burst });
export const dayQuota = (quota: number): StoreLimit => ({ kind: 'quota', id: 'day', quota, window: 'day' });
export const monthQuota = (quota: number, anchorDay: number): StoreLimit => ({
  kind: 'quota',
  id: 'month',
  quota,
  window: 'month',
  anchorDay,
});

export const window = (quota: number, lengthMs: number): StoreLimit => ({ kind: 'window', id: 'window', quota, lengthMs });
export const shadow = (limit: StoreLimit): StoreLimit => ({ ...limit, isShadow: true });

/** Takes for one organization, a new one unless it is named. */
export function taker(
  store: Pick<LimitStore, 'take'>,
  limits: readonly StoreLimit[],
  organizationId: string = randomUUID(),
): (cost: number) => Promise<TakeResult> {
  return (cost) => store.take({ organizationId, cost, limits });
}

export function only(result: TakeResult): LimitState {
  assert.equal(result.states.length, 1);
  return result.states[0] as LimitState;
}

const remaining = (state: LimitState): number => state.remaining;

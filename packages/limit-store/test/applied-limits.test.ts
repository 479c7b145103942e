import type { OrganizationLimits } from '@tollgate/domain/limits';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { appliedLimits, type Tightening } from '../src/applied-limits.js';
import { createMemoryLimitStore } from '../src/memory/memory-limit-store.js';

const KEY = '22222222-2222-4222-8222-222222222222';
const BASIC = { perMinute: 100, burst: 150, perDay: 10_000 };

function ofPlan(parts: Partial<OrganizationLimits> = {}): OrganizationLimits {
  return { plan: BASIC, override: {}, billingAnchorDay: 1, keyLimits: new Map(), ...parts };
}
const stored = (found: OrganizationLimits, keyId = KEY, tightening?: Tightening) => appliedLimits(found, keyId, tightening).store;

const minute = (perMinute: number, burst: number, id = 'organization:minute') => ({ kind: 'rate', id, perMinute, burst });
const day = (quota: number, id = 'organization:day') => ({ kind: 'quota', id, quota, window: 'day' });
const month = (quota: number, anchorDay: number, id = 'organization:month') => {
  return { kind: 'quota', id, quota, window: 'month', anchorDay };
};

test('an organization without its own limits has those of its plan', () => {
  expect(stored(ofPlan())).toEqual([minute(100, 150), day(10_000)]);
  expect(stored(ofPlan({ plan: { ...BASIC, perMonth: 200_000 }, billingAnchorDay: 31 }))).toEqual([
    minute(100, 150),
    day(10_000),
    month(200_000, 31),
  ]);
});

test('an override replaces the parts it names, and a new rate keeps the ratio of burst to rate', () => {
  expect(stored(ofPlan({ override: { perMinute: 200 } }))).toEqual([minute(200, 300), day(10_000)]);
  expect(stored(ofPlan({ override: { burst: 10, perDay: 500, perMonth: 900 } }))).toEqual([
    minute(100, 10),
    day(500),
    month(900, 1),
  ]);
});

test('a key’s own limits stand beside the organization’s, in the windows that they name', () => {
  const found = ofPlan({ keyLimits: new Map([[KEY, { perMinute: 10 }]]) });
  expect(stored(found)).toEqual([minute(100, 150), day(10_000), minute(10, 15, `key:${KEY}:minute`)]);
  expect(stored(found, 'another key')).toEqual([minute(100, 150), day(10_000)]);
  const all = ofPlan({ keyLimits: new Map([[KEY, { perDay: 5, perMonth: 50 }]]), billingAnchorDay: 15 });
  expect(stored(all).slice(2)).toEqual([day(5, `key:${KEY}:day`), month(50, 15, `key:${KEY}:month`)]);
});

test('an organization is in shadow as its plan or itself says; a key’s own limits as they say', () => {
  const own = new Map([[KEY, { perMinute: 10 }]]);
  const shadows = (found: OrganizationLimits, tightening?: Tightening) =>
    stored(found, KEY, tightening).map(({ isShadow = false }) => isShadow);
  const plan = { ...BASIC, isShadow: true };
  expect(shadows(ofPlan({ plan, keyLimits: own }))).toEqual([true, true, false]);
  expect(shadows(ofPlan({ plan, override: { isShadow: false }, keyLimits: own }))).toEqual([false, false, false]);
  expect(shadows(ofPlan({ override: { isShadow: true, perMonth: 10_000 } }))).toEqual([true, true, true]);
  expect(shadows(ofPlan({ keyLimits: new Map([[KEY, { perMinute: 10, isShadow: true }]]) }))).toEqual([false, false, true]);
  expect(shadows(ofPlan({ plan }), { window: 'minute', limit: 1 })).toEqual([true, true, true]);
  expect(shadows(ofPlan({ plan }), { window: 'day', limit: 1 })).toEqual([true, true]);
});

test('what was worked out is kept for as long as the limits do not change', () => {
  const found = ofPlan({ keyLimits: new Map([[KEY, { perMinute: 10 }]]) });
  expect(appliedLimits(found, KEY, undefined)).toBe(appliedLimits(found, KEY, undefined));
  expect(appliedLimits(found, 'a', undefined)).toBe(appliedLimits(found, 'b', undefined));
  expect(appliedLimits({ ...found }, KEY, undefined)).not.toBe(appliedLimits(found, KEY, undefined));
});

test('a tightened rate has a bucket of its own, so that the organization’s is not cut to it', () => {
  const tightened = stored(ofPlan(), KEY, { window: 'minute', limit: 10 });
  expect(tightened).toEqual([minute(100, 150), day(10_000), minute(10, 10, 'organization:minute:10')]);
});

test('a tightened quota counts on where the organization’s does', () => {
  expect(stored(ofPlan(), KEY, { window: 'day', limit: 50 })).toEqual([minute(100, 150), day(50)]);
  expect(stored(ofPlan(), KEY, { window: 'day', limit: 50_000 })).toEqual([minute(100, 150), day(10_000)]);
  expect(stored(ofPlan(), KEY, { window: 'month', limit: 70 })).toEqual([minute(100, 150), day(10_000), month(70, 1)]);
});

test('whatever a descriptor asks for, never more passes than without it', async () => {
  const anyLimit = fc.record({ window: fc.constantFrom('minute', 'day', 'month'), limit: fc.nat(40) });
  const passed = async (tightening: Tightening | undefined) => {
    const store = createMemoryLimitStore({ now: () => Date.UTC(2026, 0, 15) });
    const found = ofPlan({ plan: { perMinute: 10, burst: 15, perDay: 20, perMonth: 30 } });
    const { store: limits } = appliedLimits(found, KEY, tightening);
    let count = 0;
    for (let i = 0; i < 50; i++) count += (await store.take({ organizationId: 'a', cost: 1, limits })).isAllowed ? 1 : 0;
    return count;
  };
  const without = await passed(undefined);
  await fc.assert(
    fc.asyncProperty(anyLimit, async (tightening) => {
      expect(await passed(tightening as Tightening)).toBe(Math.min(without, tightening.limit));
    }),
  );
});

import { createRecordCache } from '@tollgate/cache/record-cache';
import type { OrganizationLimits } from '@tollgate/domain/limits';
import { fixedClock } from '@tollgate/testing/clock';
import { expect, test } from 'vitest';
import { createFindLimits } from '../src/find-limits.js';
import { forgetChanged } from '../src/forget-changed.js';

const CACHE = { max: 10, ttlMs: 1_000, refreshAheadMs: 0, negativeMax: 10, negativeTtlMs: 100, maxLoads: 10 };

function ofPlan(): OrganizationLimits {
  const plan = { perMinute: 100, burst: 150, perDay: 10_000 };
  return { plan, override: {}, billingAnchorDay: 1, keyLimits: new Map() };
}

test('limits that were read once are asked for no more; without the database the last known ones stay, absence does not', async () => {
  const clock = fixedClock();
  const world = { isDown: false, queries: 0 };
  const found = ofPlan();
  const cache = createRecordCache<OrganizationLimits>({
    ...CACHE,
    load: async (id) => {
      world.queries++;
      if (world.isDown) throw new Error('the database is down');
      return id === 'known' ? found : undefined;
    },
  });
  const find = createFindLimits(cache);
  expect(await find('known', clock.now())).toBe(found);
  expect(find('known', clock.now())).toBe(found);
  expect(await find('unknown', clock.now())).toBeUndefined();
  expect(find('unknown', clock.now())).toBeUndefined();
  expect(world.queries).toBe(2);

  world.isDown = true;
  clock.advance(1_000);
  expect(await find('known', clock.now())).toBe(found);
  await expect(find('unknown', clock.now())).rejects.toThrow('the database is down');
  // The change says that they are old, but better old limits than none.
  forgetChanged(cache, { kind: 'limits', subject: 'known' });
  expect(await find('known', clock.now())).toBe(found);
});

test.each([
  ['organization', 'a', ['a']],
  ['limits', 'a', ['a']],
  ['plan', 'basic', ['a', 'b']],
  ['reload', '', ['a', 'b']],
  ['api_key', 'a', []],
] as const)('a change of kind %s of %j makes these be read again: %j', async (kind, subject, expected) => {
  const read: string[] = [];
  const cache = createRecordCache<OrganizationLimits>({
    ...CACHE,
    load: async (id) => {
      read.push(id);
      return ofPlan();
    },
  });
  const find = createFindLimits(cache);
  for (const id of ['a', 'b']) await find(id, 0);
  read.length = 0;
  forgetChanged(cache, { kind, subject });
  for (const id of ['a', 'b']) await find(id, 0);
  expect(read).toEqual(expected);
});

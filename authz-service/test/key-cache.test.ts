import { createRecordCache } from '@tollgate/cache/record-cache';
import type { KeyRecord } from '@tollgate/domain/judge-key';
import { fixedClock } from '@tollgate/testing/clock';
import { describe, expect, test } from 'vitest';
import { forgetChanged } from '../src/forget-changed.js';
import { createKeyCache, type Lookup } from '../src/key-cache.js';
import { aKey } from './a-key.js';

const MAX_STALE_MS = 600_000;
const TTL_MS = 900_000;
const key = aKey();

/** A key cache over a database that is a map, beside a change feed that says what the test tells it to. */
function aKeyCache() {
  const clock = fixedClock();
  const database = new Map<string, KeyRecord>([['known', key]]);
  const world = { mayLookUp: true, isConnected: true, isDown: false, caughtUpAtMs: clock.now(), queries: 0 };
  const lookups: Lookup[] = [];
  const cache = createRecordCache<KeyRecord>({
    max: 10,
    ttlMs: TTL_MS,
    refreshAheadMs: 0,
    negativeMax: 10,
    negativeTtlMs: 5_000,
    maxLoads: 10,
    load: async (hash) => {
      world.queries++;
      if (world.isDown) throw new Error('the database is down');
      return database.get(hash);
    },
  });
  const trust = { isConnected: () => world.isConnected, caughtUpAtMs: () => world.caughtUpAtMs };
  const mayLookUp = () => world.mayLookUp;
  const keys = createKeyCache({ cache, trust, maxStaleMs: MAX_STALE_MS, mayLookUp, onLookup: (result) => lookups.push(result) });
  const losesDatabase = () => {
    world.isConnected = false;
    world.isDown = true;
  };
  return { clock, database, world, lookups, cache, losesDatabase, find: (hash: string) => keys.find(hash, clock.now()) };
}

describe('while changes arrive', () => {
  test('a key is looked up once, and then known at once without a promise', async () => {
    const { find, world, lookups } = aKeyCache();
    expect(await find('known')).toBe(key);
    expect(find('known')).toBe(key);
    expect(world.queries).toBe(1);
    expect(lookups).toEqual(['miss', 'hit']);
  });

  test('what is not worth a look-up is unknown without one, for this once; what is in memory needs none', async () => {
    const { find, world, lookups } = aKeyCache();
    await find('known');
    world.mayLookUp = false;
    expect(find('known')).toBe(key);
    expect(find('other')).toBeUndefined();
    expect(world.queries).toBe(1);
    world.mayLookUp = true;
    await find('other');
    expect(world.queries).toBe(2);
    expect(lookups).toEqual(['miss', 'hit', 'refused', 'miss']);
  });

  test('an absent key is remembered for a few seconds only', async () => {
    const { find, clock, database, lookups, world } = aKeyCache();
    expect(await find('new')).toBeUndefined();
    expect(find('new')).toBeUndefined();
    expect(world.queries).toBe(1);
    database.set('new', key);
    clock.advance(5_000);
    expect(await find('new')).toBe(key);
    expect(lookups).toEqual(['miss', 'absent', 'miss']);
  });

  test('a record that is too old and cannot be read again goes on, within MAX_STALE of the last change that was seen', async () => {
    const { find, clock, world, lookups } = aKeyCache();
    await find('known');
    clock.advance(TTL_MS);
    world.isDown = true;
    world.caughtUpAtMs = clock.now() - MAX_STALE_MS;
    expect(await find('known')).toBe(key);
    world.caughtUpAtMs--;
    await expect(find('known')).rejects.toThrow('the database is down');
    expect(lookups).toEqual(['miss', 'miss', 'stale', 'miss']);
  });

  test('a failed look-up is an error each time, never "absent"', async () => {
    const { find, world, database } = aKeyCache();
    world.isDown = true;
    await expect(find('known')).rejects.toThrow('the database is down');
    await expect(find('known')).rejects.toThrow('the database is down');
    world.isDown = false;
    expect(await find('known')).toBe(database.get('known'));
  });
});

describe('while the database is unreachable', () => {
  test('a cached key goes on at once, however old its record, until MAX_STALE has passed', async () => {
    const { find, clock, losesDatabase, lookups, world } = aKeyCache();
    await find('known');
    losesDatabase();
    clock.advance(MAX_STALE_MS);
    expect(find('known')).toBe(key);
    clock.advance(1);
    await expect(find('known')).rejects.toThrow('the database is down');
    expect(lookups).toEqual(['miss', 'stale', 'miss']);
    expect(world.queries).toBe(2);
  });

  test('an unknown key is an error, also where it was known to be absent before', async () => {
    const { find, losesDatabase } = aKeyCache();
    await find('absent');
    losesDatabase();
    await expect(find('absent')).rejects.toThrow('the database is down');
    await expect(find('never asked')).rejects.toThrow('the database is down');
  });

  test('no key is called unknown without a look-up', async () => {
    const { find, losesDatabase, world } = aKeyCache();
    losesDatabase();
    world.mayLookUp = false;
    await expect(find('never asked')).rejects.toThrow('the database is down');
  });

  test('a key that was seen to change is not served from before the change', async () => {
    const { find, losesDatabase, cache } = aKeyCache();
    await find('known');
    losesDatabase();
    forgetChanged(cache, { kind: 'api_key', subject: 'known' });
    await expect(find('known')).rejects.toThrow('the database is down');
  });

  test('the database is believed where it answers after all, though changes do not arrive', async () => {
    const { find, world, database } = aKeyCache();
    world.isConnected = false;
    expect(await find('known')).toBe(key);
    expect(await find('absent')).toBeUndefined();
    database.set('absent', key);
    expect(await find('absent')).toBe(key);
  });
});

describe('a change', () => {
  const before = aKey({ organizationId: 'a' });
  const loaded = async () => {
    const made = aKeyCache();
    made.database.set('of a', before).set('of b', aKey({ organizationId: 'b' }));
    await Promise.all([made.find('of a'), made.find('of b'), made.find('absent')]);
    made.world.queries = 0;
    return made;
  };
  const asked = async ({ find, world }: ReturnType<typeof aKeyCache>) => {
    const read: string[] = [];
    for (const hash of ['of a', 'of b', 'absent']) {
      const queries = world.queries;
      await find(hash);
      if (world.queries > queries) read.push(hash);
    }
    return read;
  };

  test.each([
    [{ kind: 'api_key', subject: 'of a' }, ['of a']],
    [{ kind: 'api_key', subject: 'absent' }, ['absent']],
    [{ kind: 'organization', subject: 'b' }, ['of b']],
    [{ kind: 'plan', subject: 'premium' }, []],
    [{ kind: 'limits', subject: 'a' }, []],
    [{ kind: 'reload', subject: '' }, ['of a', 'of b', 'absent']],
  ] as const)('%j makes exactly these be read again: %j', async (change, expected) => {
    const made = await loaded();
    forgetChanged(made.cache, change);
    expect(await asked(made)).toEqual(expected);
  });
});

import { CacheBusy, createRecordCache, type RecordCacheOptions } from '@tollgate/cache/record-cache';
import { expect, test } from 'vitest';

const NOW = Date.UTC(2026, 10, 23, 12);

/** A source whose reads are answered by hand, in any order. */
function handSource() {
  const reads: { key: string; answer: (value: string | undefined) => void; fail: (error: Error) => void }[] = [];
  const load = (key: string) =>
    new Promise<string | undefined>((answer, fail) => {
      reads.push({ key, answer, fail });
    });
  const read = (index: number) => {
    const found = reads[index];
    if (found === undefined) throw new Error(`there was no read ${index}`);
    return found;
  };
  return { load, reads, read };
}

function aCache(load: RecordCacheOptions<string>['load'], changes: Partial<RecordCacheOptions<string>> = {}) {
  return createRecordCache<string>({
    max: 100,
    ttlMs: 1000,
    refreshAheadMs: 200,
    negativeMax: 10,
    negativeTtlMs: 50,
    maxLoads: 10,
    load,
    ...changes,
  });
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('a loaded record is answered until its age is the ttl, and kept as stale after it', async () => {
  const cache = aCache(async () => 'value', { refreshAheadMs: 0 });
  expect(cache.get('k', NOW)).toBeUndefined();
  expect(await cache.load('k', NOW)).toBe('value');
  expect(cache.get('k', NOW + 999)).toBe('value');
  expect(cache.get('k', NOW + 1000)).toBeUndefined();
  expect(cache.getStale('k')).toBe('value');
  expect(cache.size()).toBe(1);
});

test('a thousand callers of one missing key cause one load', async () => {
  const source = handSource();
  const cache = aCache(source.load);
  const callers = Array.from({ length: 1000 }, () => cache.load('k', NOW));
  source.read(0).answer('value');
  expect(new Set(await Promise.all(callers))).toEqual(new Set(['value']));
  expect(source.reads).toHaveLength(1);
});

test('a key that is absent is remembered briefly and apart from the records', async () => {
  const cache = aCache(async (key) => (key === 'good' ? 'value' : undefined), { max: 1, negativeMax: 2 });
  await cache.load('good', NOW);
  for (const key of ['a', 'b', 'c']) expect(await cache.load(key, NOW)).toBeUndefined();
  expect(cache.get('good', NOW)).toBe('value');
  expect(['a', 'b', 'c'].map((key) => cache.isKnownAbsent(key, NOW + 49))).toEqual([false, true, true]);
  expect(cache.isKnownAbsent('c', NOW + 50)).toBe(false);
  expect(cache.isKnownAbsent('good', NOW)).toBe(false);
});

test('more records than the bound push out the least recently used', async () => {
  const cache = aCache(async (key) => key, { max: 2 });
  await cache.load('a', NOW);
  await cache.load('b', NOW);
  cache.get('a', NOW);
  await cache.load('c', NOW);
  expect([cache.get('a', NOW), cache.get('b', NOW), cache.get('c', NOW)]).toEqual(['a', undefined, 'c']);
});

test('beyond the most loads in flight a load is refused at once, and there is room again when one ends', async () => {
  const source = handSource();
  const cache = aCache(source.load, { maxLoads: 2 });
  const first = cache.load('a', NOW);
  const second = cache.load('b', NOW);
  await expect(cache.load('c', NOW)).rejects.toBeInstanceOf(CacheBusy);
  source.read(0).answer('a');
  source.read(1).fail(new Error('down'));
  await first;
  await expect(second).rejects.toThrow('down');
  const third = cache.load('c', NOW);
  source.read(2).answer('c');
  expect(await third).toBe('c');
});

test('a load dropped in flight still counts, so that drops cannot multiply the queries', async () => {
  const source = handSource();
  const cache = aCache(source.load, { maxLoads: 1 });
  const old = cache.load('k', NOW);
  cache.drop('k');
  await expect(cache.load('k', NOW)).rejects.toBeInstanceOf(CacheBusy);
  source.read(0).answer('old');
  await old;
  const fresh = cache.load('k', NOW);
  source.read(1).answer('new');
  expect(await fresh).toBe('new');
});

test('a failure is not remembered, neither as a record nor as an absence', async () => {
  const source = handSource();
  const cache = aCache(source.load);
  const failed = cache.load('k', NOW);
  source.read(0).fail(new Error('down'));
  await expect(failed).rejects.toThrow('down');
  expect([cache.get('k', NOW), cache.isKnownAbsent('k', NOW), cache.size()]).toEqual([undefined, false, 0]);
});

test('a load that throws instead of rejecting gives its place back', async () => {
  const cache = aCache(
    () => {
      throw new Error('thrown');
    },
    { maxLoads: 1 },
  );
  await expect(cache.load('k', NOW)).rejects.toThrow('thrown');
  await expect(cache.load('k', NOW)).rejects.toThrow('thrown');
});

test.each([
  ['drop', (cache: ReturnType<typeof aCache>) => cache.drop('k')],
  ['dropWhere', (cache: ReturnType<typeof aCache>) => cache.dropWhere(() => false)],
  ['clear', (cache: ReturnType<typeof aCache>) => cache.clear()],
])('a load that began before %s is not kept, and whoever comes after it does not join', async (_name, forget) => {
  const source = handSource();
  const cache = aCache(source.load);
  const before = cache.load('k', NOW);
  forget(cache);
  const after = cache.load('k', NOW);
  source.read(1).answer('new');
  expect(await after).toBe('new');
  source.read(0).answer('old');
  expect(await before).toBe('old');
  expect(cache.get('k', NOW)).toBe('new');
});

test('an absence found before a drop is not kept either', async () => {
  const source = handSource();
  const cache = aCache(source.load);
  const before = cache.load('k', NOW);
  cache.drop('k');
  source.read(0).answer(undefined);
  await before;
  expect(cache.isKnownAbsent('k', NOW)).toBe(false);
});

test('a failed load that was dropped leaves the newer one alone', async () => {
  const source = handSource();
  const cache = aCache(source.load);
  const before = cache.load('k', NOW);
  cache.drop('k');
  const after = cache.load('k', NOW);
  source.read(0).fail(new Error('down'));
  await expect(before).rejects.toThrow('down');
  const joined = cache.load('k', NOW);
  source.read(1).answer('new');
  expect(await Promise.all([after, joined])).toEqual(['new', 'new']);
  expect(source.reads).toHaveLength(2);
});

test('dropWhere forgets the records that it names and no others', async () => {
  const cache = aCache(async (key) => (key === 'none' ? undefined : `value of ${key}`));
  for (const key of ['a', 'b', 'none']) await cache.load(key, NOW);
  cache.dropWhere((value, key) => value === 'value of a' && key === 'a');
  expect([cache.getStale('a'), cache.getStale('b')]).toEqual([undefined, 'value of b']);
  expect(cache.isKnownAbsent('none', NOW)).toBe(true);
});

test('a drop forgets an absence, so that a key made this instant works', async () => {
  const cache = aCache(async () => undefined);
  await cache.load('k', NOW);
  cache.drop('k');
  expect(cache.isKnownAbsent('k', NOW)).toBe(false);
});

test('a hit near its end answers at once and reads the record again once', async () => {
  const source = handSource();
  const cache = aCache(source.load);
  const loaded = cache.load('k', NOW);
  source.read(0).answer('old');
  await loaded;
  expect(cache.get('k', NOW + 799)).toBe('old');
  expect(source.reads).toHaveLength(1);
  expect(cache.get('k', NOW + 800)).toBe('old');
  expect(cache.get('k', NOW + 801)).toBe('old');
  expect(source.reads).toHaveLength(2);
  source.read(1).answer('new');
  await settled();
  expect(cache.get('k', NOW + 1500)).toBe('new');
});

test('a refresh that finds no record removes it, and remembers that', async () => {
  const answers = ['value', undefined];
  const cache = aCache(async () => answers.shift());
  await cache.load('k', NOW);
  cache.get('k', NOW + 900);
  await settled();
  expect([cache.get('k', NOW + 901), cache.getStale('k'), cache.isKnownAbsent('k', NOW + 901)]).toEqual([
    undefined,
    undefined,
    true,
  ]);
});

test('a failed refresh keeps the record, is told, and waits a second before the next', async () => {
  const source = handSource();
  const errors: unknown[] = [];
  const cache = aCache(source.load, { ttlMs: 10_000, refreshAheadMs: 5000, onRefreshError: (error) => errors.push(error) });
  const loaded = cache.load('k', NOW);
  source.read(0).answer('value');
  await loaded;
  cache.get('k', NOW + 5000);
  source.read(1).fail(new Error('down'));
  await settled();
  expect(errors).toEqual([new Error('down')]);
  expect(cache.get('k', NOW + 5999)).toBe('value');
  expect(source.reads).toHaveLength(2);
  expect(cache.get('k', NOW + 6000)).toBe('value');
  expect(source.reads).toHaveLength(3);
});

test('refreshes leave half of the room to misses', async () => {
  const source = handSource();
  const cache = aCache(source.load, { maxLoads: 4 });
  const keys = ['a', 'b', 'c', 'd'];
  const loaded = keys.map((key) => cache.load(key, NOW));
  for (const [index, key] of keys.entries()) source.read(index).answer(key);
  await Promise.all(loaded);
  for (const key of keys) cache.get(key, NOW + 900);
  expect(source.reads.slice(4).map((read) => read.key)).toEqual(['a', 'b']);
});

test('what is expired is read again before it is used, and is still there while that fails', async () => {
  const source = handSource();
  const cache = aCache(source.load);
  for (const [i, key] of ['a', 'b'].entries()) {
    const loading = cache.load(key, NOW);
    source.read(i).answer(`old ${key}`);
    await loading;
  }
  cache.expire('a');
  expect([cache.get('a', NOW), cache.getStale('a'), cache.get('b', NOW)]).toEqual([undefined, 'old a', 'old b']);
  cache.expire();
  expect([cache.get('b', NOW), cache.getStale('b')]).toEqual([undefined, 'old b']);
  const loading = cache.load('b', NOW);
  source.read(2).answer('new b');
  await loading;
  expect(cache.get('b', NOW)).toBe('new b');
});

test.each([['one', 'k'] as const, ['all', undefined] as const])(
  'a read that began before %s expired is not kept',
  async (_, key) => {
    const source = handSource();
    const cache = aCache(source.load);
    const loading = cache.load('k', NOW);
    cache.expire(key);
    source.read(0).answer('read before');
    await loading;
    expect(cache.get('k', NOW)).toBeUndefined();
  },
);

test.each(['max', 'negativeMax', 'maxLoads'])('a cache without a bound (%s) is refused', (name) => {
  for (const value of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => aCache(async () => undefined, { [name]: value })).toThrow(RangeError);
  }
});

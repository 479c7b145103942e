import { createMemoryLimitStore } from '@tollgate/limit-store/memory/memory-limit-store';
import { fixedClock } from '@tollgate/testing/clock';
import { expect, test } from 'vitest';
import { appliedLimits, type Descriptor } from '../src/descriptor-limits.js';
import { judgeDescriptors, type RulesDecision } from '../src/judge-descriptors.js';
import { UNIT_SECONDS, UNITS } from '../src/unit.js';
import { entriesOf, rulesOf } from './rules-of.js';

/** The middle of a second, minute, hour and day. */
const NOON = Date.UTC(2027, 1, 10, 12, 30, 30, 500);

/** The domain `shop` of this text over a store of its own; descriptors are written `key=value key=value`. */
function limiter(text: string) {
  const rules = rulesOf(text);
  const clock = fixedClock(NOON);
  const store = createMemoryLimitStore({ now: clock.now });
  const ask = async (...asked: (string | (Partial<Descriptor> & { of: string }))[]): Promise<RulesDecision> => {
    const descriptors = asked.map((each): Descriptor => {
      const { of, ...parts } = typeof each === 'string' ? { of: each } : each;
      return { entries: entriesOf(of), cost: 1, ownLimit: undefined, ...parts };
    });
    const applied = appliedLimits('shop', rules, descriptors);
    const take = async (each: (typeof applied)[number]) =>
      each.kind === 'limit' ? { ...(await store.take(each.take)), isDegraded: false } : undefined;
    return judgeDescriptors(applied, await Promise.all(applied.map(take)));
  };
  const passes = async (of: string, most = 100): Promise<number> => {
    let count = 0;
    while (count < most && (await ask(of)).kind === 'allowed') count++;
    return count;
  };
  return { ask, passes, advance: clock.advance };
}

const limit = (requests: number, unit = 'minute', more = ''): string =>
  `rate_limit: { unit: ${unit}, requests_per_unit: ${requests}${more} }`;

test('each value has a count of its own, unless the wildcard shares its threshold', async () => {
  const { passes } = limiter(`
domain: shop
descriptors:
  - { key: user, ${limit(2)} }
  - { key: file, value: "a/*", ${limit(3)} }
  - { key: doc, value: "a/*", share_threshold: true, ${limit(3)} }
  - key: area
    value: "eu-*"
    share_threshold: true
    descriptors:
      - { key: user, ${limit(2)} }
`);
  expect([await passes('user=ann'), await passes('user=bob')]).toEqual([2, 2]);
  expect([await passes('file=a/1'), await passes('file=a/2')]).toEqual([3, 3]);
  expect([await passes('doc=a/1'), await passes('doc=a/2')]).toEqual([3, 0]);
  expect([await passes('area=eu-1 user=ann'), await passes('area=eu-2 user=ann'), await passes('area=eu-2 user=bob')]).toEqual([
    2, 0, 2,
  ]);
});

test('descriptors that look alike when they are joined are different ones', async () => {
  const { passes } = limiter(`
domain: shop
descriptors:
  - key: a
    ${limit(1)}
    descriptors:
      - { key: b, ${limit(1)} }
  - { key: a_b, ${limit(1)} }
`);
  const descriptors = ['a=x b=y', 'a=x_b_y', 'a=x.b_y', 'a_b=y', 'a=","b","y'];
  for (const descriptor of descriptors) expect(await passes(descriptor)).toBe(1);
});

test('each descriptor of a call counts by itself: one that is over stops no other from counting', async () => {
  const { ask, passes } = limiter(`domain: shop\ndescriptors:\n  - { key: a, ${limit(1)} }\n  - { key: b, ${limit(5)} }\n`);
  await ask('a=1');
  const both = await ask('a=1', 'b=1');
  expect(both).toMatchObject({ kind: 'limited', statuses: [{ isOver: true }, { isOver: false, remaining: 4 }] });
  expect(await passes('b=1')).toBe(4);
});

test('the answer of a call that is over names the limit that keeps it away for longest', async () => {
  const { ask } = limiter(
    `domain: shop\ndescriptors:\n  - { key: a, ${limit(1)} }\n  - { key: b, ${limit(1, 'hour', ', name: hourly')} }\n`,
  );
  await ask('a=1', 'b=1');
  expect((await ask('a=1', 'b=1')).trip).toEqual({
    limit: { unit: 'hour', requestsPerUnit: 1, algorithm: 'token_bucket' },
    name: 'hourly',
    remaining: 0,
    retryAfter: 3_600,
    resetAt: Math.ceil(NOON / 1000 + 3_600),
  });
});

test('no limit, unlimited and a limit are told apart', async () => {
  const text = `domain: shop\ndescriptors:\n  - { key: a, ${limit(1)} }\n  - { key: b, rate_limit: { unlimited: true } }\n  - key: c\n`;
  const { ask } = limiter(text);
  expect(await ask('b=1', 'c=1', 'd=1')).toMatchObject({
    kind: 'unlimited',
    statuses: [{ kind: 'unlimited' }, { kind: 'none' }, { kind: 'none' }],
  });
  expect(await ask('b=1', 'a=1')).toMatchObject({ kind: 'allowed', statuses: [{ kind: 'unlimited' }, { kind: 'limit' }] });
});

test('shadow mode counts and tells, and is never over', async () => {
  const { ask } = limiter(`domain: shop\ndescriptors:\n  - { key: a, shadow_mode: true, ${limit(1)} }\n`);
  await ask('a=1');
  expect(await ask('a=1')).toMatchObject({ kind: 'allowed', statuses: [{ isOver: false, isShadowed: true, remaining: 0 }] });
});

test('quota rules are over together or not at all', async () => {
  const { ask } = limiter(`
domain: shop
descriptors:
  - { key: a, quota_mode: true, ${limit(1)} }
  - { key: b, quota_mode: true, ${limit(2)} }
`);
  expect((await ask('a=1', 'b=1')).kind).toBe('allowed');
  expect(await ask('a=1', 'b=1')).toMatchObject({ kind: 'allowed', statuses: [{ isOver: true }, { isOver: false }] });
  expect((await ask('a=1', 'b=1')).kind).toBe('limited');
});

test('a limit is left aside in a call that has another one to replace it, and counts nothing there', async () => {
  const { ask, passes } = limiter(`
domain: shop
descriptors:
  - key: all
    ${limit(2, 'minute', ', name: everybody')}
  - key: vip
    ${limit(5, 'minute', ', replaces: [{ name: everybody }]')}
  - key: staff
    rate_limit: { unlimited: true, replaces: [{ name: everybody }] }
`);
  for (let i = 0; i < 3; i++) {
    const decision = await ask('all=1', 'vip=1');
    expect(decision).toMatchObject({ kind: 'allowed', statuses: [{ kind: 'none' }, { remaining: 4 - i }] });
  }
  expect(await ask('staff=1', 'all=1')).toMatchObject({ statuses: [{ kind: 'unlimited' }, { kind: 'none' }] });
  expect(await passes('all=1')).toBe(2);
});

test('a limit that the call brings along stands in the place of the rule’s, and beside other such limits', async () => {
  const { ask, passes } = limiter(`domain: shop\ndescriptors:\n  - { key: a, shadow_mode: true, ${limit(1)} }\n`);
  const own = (of: string, requestsPerUnit: number) => ask({ of, ownLimit: { requestsPerUnit, unit: 'hour' } });
  expect(await own('a=1', 2)).toMatchObject({
    statuses: [{ name: '', remaining: 1, limit: { unit: 'hour', requestsPerUnit: 2 } }],
  });
  expect((await own('a=1', 2)).kind).toBe('allowed');
  expect((await own('a=1', 2)).kind).toBe('limited');
  expect(await own('a=1', 9)).toMatchObject({ statuses: [{ remaining: 8 }] });
  expect((await own('without=a-rule', 0)).kind).toBe('limited');
  expect(await passes('a=1', 3), 'the rule in shadow mode').toBe(3);
});

test('a cost counts whole; 0 looks', async () => {
  const { ask } = limiter(`domain: shop\ndescriptors:\n  - { key: a, ${limit(10)} }\n`);
  expect(await ask({ of: 'a=1', cost: 7 })).toMatchObject({ statuses: [{ remaining: 3 }] });
  expect(await ask({ of: 'a=1', cost: 0 })).toMatchObject({ kind: 'allowed', statuses: [{ remaining: 3 }] });
  expect(await ask({ of: 'a=1', cost: 4 })).toMatchObject({ kind: 'limited', statuses: [{ remaining: 3 }] });
  expect((await ask({ of: 'a=1', cost: 11 })).trip?.retryAfter).toBeUndefined();
});

test.each(UNITS)('a bucket of %s fills within one, and gives one back after its share of it', async (unit) => {
  const { ask, passes, advance } = limiter(`domain: shop\ndescriptors:\n  - { key: a, ${limit(4, unit)} }\n`);
  expect(await passes('a=1')).toBe(4);
  expect(await ask('a=1')).toMatchObject({ trip: { retryAfter: Math.ceil(UNIT_SECONDS[unit] / 4) } });
  expect((await ask('a=1')).statuses).toMatchObject([{ resetSeconds: UNIT_SECONDS[unit] }]);
  advance(UNIT_SECONDS[unit] * 250 - 1);
  expect(await passes('a=1')).toBe(0);
  advance(1);
  expect(await passes('a=1')).toBe(1);
});

test.each(UNITS)('a fixed window of %s begins at a multiple of it, as those of envoyproxy/ratelimit do', async (unit) => {
  const text = `domain: shop\nalgorithm: fixed_window\ndescriptors:\n  - { key: a, ${limit(4, unit)} }\n`;
  const { ask, passes, advance } = limiter(text);
  const seconds = UNIT_SECONDS[unit];
  const left = seconds - (Math.floor(NOON / 1000) % seconds);
  expect((await ask({ of: 'a=1', cost: 0 })).statuses).toMatchObject([{ resetSeconds: left }]);
  expect(await passes('a=1')).toBe(4);
  expect((await ask('a=1')).trip?.retryAfter).toBe(left);
  advance(left * 1000 - 501);
  expect(await passes('a=1')).toBe(0);
  advance(1);
  expect(await passes('a=1')).toBe(4);
});

test('a fixed window counts what it denies, and then denies a look too, as envoyproxy/ratelimit does', async () => {
  const { ask } = limiter(`domain: shop\ndescriptors:\n  - { key: a, algorithm: fixed_window, ${limit(10, 'day')} }\n`);
  await ask({ of: 'a=1', cost: 8 });
  expect(await ask({ of: 'a=1', cost: 5 })).toMatchObject({ kind: 'limited', statuses: [{ remaining: 0 }] });
  expect((await ask('a=1')).kind).toBe('limited');
  expect((await ask({ of: 'a=1', cost: 0 })).kind).toBe('limited');
});

test('a limit of nothing lets nothing through, by either algorithm', async () => {
  const { passes } = limiter(`
domain: shop
descriptors:
  - { key: a, ${limit(0)} }
  - { key: b, algorithm: fixed_window, ${limit(0)} }
`);
  expect([await passes('a=1'), await passes('b=1')]).toEqual([0, 0]);
});

import { expect, test } from 'vitest';
import { findRule } from '../src/find-rule.js';
import { entriesOf, rulesOf } from './rules-of.js';

/** Each limit's number names its rule. */
const RULES = rulesOf(`
domain: shop
descriptors:
  - key: plain
    rate_limit: { unit: minute, requests_per_unit: 1 }
  - key: plain
    value: gold
    rate_limit: { unit: minute, requests_per_unit: 2 }
  - key: plain
    value: free
  - key: path
    value: /a/*
    rate_limit: { unit: minute, requests_per_unit: 3 }
  - key: path
    value: /a/b/*
    rate_limit: { unit: minute, requests_per_unit: 4 }
  - key: path
    value: /a/exact
    rate_limit: { unit: minute, requests_per_unit: 5 }
  - key: path
    value: /*/edit
    rate_limit: { unit: minute, requests_per_unit: 6 }
  - key: path
    value: /v*/users/*/posts
    rate_limit: { unit: minute, requests_per_unit: 7 }
  - key: only
    value: this
    rate_limit: { unit: minute, requests_per_unit: 8 }
  - key: from
    value: service-*
    descriptors:
      - key: to
        rate_limit: { unit: minute, requests_per_unit: 9 }
      - key: to
        value: billing
        rate_limit: { unit: minute, requests_per_unit: 10 }
  - key: from
    descriptors:
      - key: to
        value: search
        rate_limit: { unit: minute, requests_per_unit: 11 }
  - key: both
    rate_limit: { unit: minute, requests_per_unit: 12 }
    descriptors:
      - key: deeper
        rate_limit: { unit: minute, requests_per_unit: 13 }
  - key: any
    value: "*"
    rate_limit: { unit: minute, requests_per_unit: 14 }
  - key: number
    value: 42
    rate_limit: { unit: minute, requests_per_unit: 15 }
`);

test.each<[string, number | undefined, string]>([
  ['plain=silver', 1, 'the rule without a value is for all that have none of their own'],
  ['plain=', 1, 'an empty value is one of them'],
  ['plain=gold', 2, 'this very value goes before all'],
  ['plain=free', undefined, 'a value without a limit is let through uncounted'],
  ['plain=Gold', 1, 'large and small letters differ'],
  ['path=/a/b/c', 3, 'of two wildcards the first in the file counts, not the longest'],
  ['path=/a/exact', 5, 'the very value goes before a wildcard'],
  ['path=/a/', 3, 'a * stands for nothing too'],
  ['path=/x/edit', 6, 'a * in the middle'],
  ['path=/x/y/edit', 6, 'a * stands for slashes too'],
  ['path=/edit', undefined, 'what stands beside a * must be there, and not twice over'],
  ['path=/v1/users/7/posts', 7, 'several *'],
  ['path=/v1/users/posts', undefined, 'each * in its place'],
  ['path=/other', undefined, 'no rule without a value: nothing'],
  ['only=that', undefined, 'another value'],
  ['unknown=x', undefined, 'an unknown key'],
  ['from=service-a to=x', 9, 'a default beneath a wildcard'],
  ['from=service-a to=billing', 10, 'a value beneath a wildcard'],
  ['from=else to=search', 11, 'beneath the rule without a value'],
  ['from=else to=billing', undefined, 'what is beneath one rule is not beneath another'],
  ['from=service-a to=search', 9, 'once a rule was taken there is no way back to a vaguer one'],
  ['from=service-a', undefined, 'less deep than the rule'],
  ['from=service-a to=x more=y', undefined, 'deeper than the rule'],
  ['both=1', 12, 'a rule that has a limit and others beneath it'],
  ['both=1 deeper=2', 13, 'and the one beneath'],
  ['both=1 other=2', undefined, 'the limit above is not for what is deeper'],
  ['deeper=2', undefined, 'what is beneath is not above'],
  ['any=', 14, 'a * alone stands for nothing too'],
  ['number=42', 15, 'a number in the file is the text that stands there'],
])('%s → %s: %s', (descriptor, limit) => {
  const rule = findRule(RULES.rules, entriesOf(descriptor))?.at(-1);
  expect(rule?.limit).toEqual(limit === undefined ? undefined : expect.objectContaining({ requestsPerUnit: limit }));
});

test('a descriptor without entries matches nothing', () => {
  expect(findRule(RULES.rules, [])).toBeUndefined();
});

test('the limit keeps what stands in the file: unit, name, modes', () => {
  const { rules } = rulesOf(`
domain: shop
descriptors:
  - key: a
    shadow_mode: true
    quota_mode: true
    metadata: { any: [thing] }
    rate_limit: { unit: WEEK, requests_per_unit: 4294967295, name: weekly, replaces: [{ name: other }] }
`);
  expect(findRule(rules, entriesOf('a=1'))?.[0]).toMatchObject({
    limit: { unit: 'week', requestsPerUnit: 4_294_967_295, algorithm: 'token_bucket' },
    name: 'weekly',
    replaces: ['other'],
    isShadow: true,
    isQuota: true,
  });
});

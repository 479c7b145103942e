import { expect, test } from 'vitest';
import { findRule } from '../src/find-rule.js';
import { metricName } from '../src/metric-name.js';
import { entriesOf, rulesOf } from './rules-of.js';

const { rules } = rulesOf(`
domain: shop
descriptors:
  - key: route
    descriptors:
      - { key: method, value: GET }
      - { key: method }
  - key: shown
    value_to_metric: true
    descriptors:
      - key: action
        value: read*
        value_to_metric: true
        descriptors:
          - { key: resource }
  - { key: detailed, detailed_metric: true }
  - key: outer
    descriptors:
      - { key: detailed, value: "x*", detailed_metric: true }
  - { key: wild, value: "w*" }
  - key: shared
    value: "api/*"
    share_threshold: true
    value_to_metric: true
    descriptors:
      - { key: method, value_to_metric: true }
      - { key: all, detailed_metric: true }
`);

test.each<[descriptor: string, rule: string, detailed: string | undefined]>([
  ['route=/a method=GET', 'shop.route.method_GET', undefined],
  ['route=/a method=PUT', 'shop.route.method', undefined],
  ['shown=alice action=readfile resource=r', 'shop.shown.action_read*.resource', 'shop.shown_alice.action_readfile.resource'],
  ['shown= action=readfile resource=r', 'shop.shown.action_read*.resource', 'shop.shown.action_readfile.resource'],
  ['detailed=d', 'shop.detailed', 'shop.detailed_d'],
  ['outer=o detailed=xy', 'shop.outer.detailed_x*', 'shop.outer_o.detailed_xy'],
  ['wild=w1', 'shop.wild_w*', undefined],
  ['shared=api/v1 method=GET', 'shop.shared_api/*.method', 'shop.shared_api/*.method_GET'],
  ['shared=api/v1 all=x', 'shop.shared_api/*.all', 'shop.shared_api/*.all_x'],
])('%s is %s', (descriptor, rule, detailed) => {
  const entries = entriesOf(descriptor);
  const matched = findRule(rules, entries);
  if (matched === undefined) throw new Error('no rule');
  for (let i = 0; i < 2; i++) expect(metricName('shop', entries, matched)).toMatchObject({ rule, detailed });
});

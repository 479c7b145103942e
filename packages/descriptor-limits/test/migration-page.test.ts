import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { findRule } from '../src/find-rule.js';
import { readRuleSet } from '../src/rule-set.js';
import { entriesOf } from './rules-of.js';

const PAGE = readFileSync(new URL('../../../docs/migrating-from-envoyproxy-ratelimit.md', import.meta.url), 'utf8');

test('the example of the migration page is good, and does what its comments say', () => {
  const [text = ''] = [...PAGE.matchAll(/^```yaml rules\n([\s\S]*?)^```/gm)].map(([, yaml]) => yaml);
  const read = readRuleSet([{ name: 'example.yaml', text }]);
  if (read.kind === 'refused') throw new Error(read.problems.join('\n'));
  const rules = read.rules.get('shop')?.rules ?? new Map();
  const ruleOf = (descriptor: string) => findRule(rules, entriesOf(descriptor))?.at(-1);
  const window = { algorithm: 'fixed_window' };
  expect(ruleOf('remote_address=1.2.3.4')?.limit).toEqual({ ...window, unit: 'minute', requestsPerUnit: 100 });
  expect(ruleOf('remote_address=50.0.0.5')?.limit).toMatchObject({ requestsPerUnit: 0 });
  expect(ruleOf('path=/files/a')).toMatchObject({ sharesThreshold: true, limit: { ...window, unit: 'hour' } });
  expect(ruleOf('tier=gold user=ann')).toMatchObject({ limit: { algorithm: 'token_bucket' }, replaces: ['everybody'] });
  expect(ruleOf('trial=1')?.isShadow).toBe(true);
  expect(ruleOf('internal=1')?.limit).toBe('unlimited');
});

import type { DomainRules } from '../src/rule.js';
import { readRuleSet } from '../src/rule-set.js';

/** The rules of one domain in a text that is good. */
export function rulesOf(text: string, domain = 'shop'): DomainRules {
  const read = readRuleSet([{ name: 'rules.yaml', text }]);
  if (read.kind === 'refused') throw new Error(read.problems.join('\n'));
  const rules = read.rules.get(domain);
  if (rules === undefined) throw new Error(`no domain ${domain}`);
  return rules;
}

/** A descriptor's entries, written `key=value key=value`. */
export function entriesOf(text: string): { key: string; value: string }[] {
  return text.split(' ').map((pair) => {
    const at = pair.indexOf('=');
    return { key: pair.slice(0, at), value: pair.slice(at + 1) };
  });
}

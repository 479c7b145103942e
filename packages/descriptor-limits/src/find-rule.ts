import type { Rule, RulesOfKey, RuleTable } from './rule.js';
import { matchesWildcard } from './wildcard.js';

/** One key and value of a descriptor. */
export interface Entry {
  key: string;
  value: string;
}

/** The rules that the entries led through, one for each; the last one's limit is the descriptor's. */
export type MatchedRules = readonly [Rule, ...Rule[]];

/**
 * The rule of a descriptor: at each level the one with this very value, else the first wildcard that fits, else the one
 * without a value, and from there only what is beneath it. Undefined where no rule is exactly as deep as the descriptor.
 */
export function findRule(table: RuleTable, entries: readonly Entry[]): MatchedRules | undefined {
  const matched: Rule[] = [];
  let level = table;
  for (const { key, value } of entries) {
    const rules = level.get(key);
    const rule = rules && ruleFor(rules, value);
    if (rule === undefined) return undefined;
    matched.push(rule);
    level = rule.beneath;
  }
  const [first, ...others] = matched;
  return first && [first, ...others];
}

function ruleFor({ byValue, wildcards, otherwise }: RulesOfKey, value: string): Rule | undefined {
  const exact = byValue.get(value);
  if (exact !== undefined) return exact;
  for (const rule of wildcards) if (matchesWildcard(rule.wildcard ?? [], value)) return rule;
  return otherwise;
}

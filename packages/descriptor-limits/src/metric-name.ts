import type { Entry, MatchedRules } from './find-rule.js';
import type { Rule } from './rule.js';

/** What metrics call a descriptor's rule, in the form that envoyproxy/ratelimit gives it: `domain.key_value.key`. */
export interface MetricName {
  /** Of what is configured alone, so there are no more of them than rules. */
  rule: string;
  /** With values of the call, where the configuration asks for them: there may be any number. */
  detailed: string | undefined;
}

/** The names are worked out once a rule, but for those with values of the call. */
export function metricName(domain: string, entries: readonly Entry[], matched: MatchedRules): MetricName {
  const last = matched[matched.length - 1] as Rule;
  let rule = known.get(last);
  if (rule === undefined) {
    rule = joined(
      domain,
      matched.map((each) => part(each.key, each.value)),
    );
    known.set(last, rule);
  }
  const parts = last.hasDetailedMetric ? entries.map(detailedPart(matched)) : partsWithValues(entries, matched);
  const detailed = parts && joined(domain, parts);
  return { rule, detailed: detailed === rule ? undefined : detailed };
}

const known = new WeakMap<Rule, string>();

/** The whole descriptor, but for values that count together. */
function detailedPart(matched: MatchedRules): (entry: Entry, i: number) => string {
  return ({ key, value }, i) => part(key, matched[i]?.sharesThreshold ? matched[i].value : value);
}

function partsWithValues(entries: readonly Entry[], matched: MatchedRules): string[] | undefined {
  const showsValue = (rule: Rule): boolean => rule.showsValueInMetric && !rule.sharesThreshold && !isExact(rule);
  if (!matched.some(showsValue)) return undefined;
  return matched.map((rule, i) => part(rule.key, showsValue(rule) ? entries[i]?.value : rule.value));
}

const isExact = (rule: Rule): boolean => rule.value !== undefined && rule.wildcard === undefined;
const part = (key: string, value: string | undefined): string => (value ? `${key}_${value}` : key);
const joined = (domain: string, parts: readonly string[]): string => [domain, ...parts].join('.');

import type { Entry, MatchedRules } from './find-rule.js';
import type { Rule } from './rule.js';

/** What metrics call a descriptor's rule, in the form that envoyproxy/ratelimit gives it: `domain.key_value.key`. */
export interface MetricName {
  /** Of what is configured alone, so there are no more of them than rules. */
  rule: string;
  /** With values of the call, where the configuration asks for them: there may be any number. */
  detailed: string | undefined;
}

/** Worked out once a rule, but for names with values of the call. */
export function metricName(domain: string, entries: readonly Entry[], matched: MatchedRules): MetricName {
  const last = matched[matched.length - 1] as Rule;
  let name = known.get(last);
  if (name === undefined) {
    name = { ...plainName(domain, matched), asksForValues: last.hasDetailedMetric || matched.some(showsValue) };
    known.set(last, name);
  }
  if (!name.asksForValues) return name;
  const parts = last.hasDetailedMetric ? entries.map(detailedPart(matched)) : partsWithValues(entries, matched);
  const detailed = joined(domain, parts);
  return { rule: name.rule, detailed: detailed === name.rule ? undefined : detailed };
}

/** A rule stands in one place only, so it knows the way that led to it. */
const known = new WeakMap<Rule, MetricName & { asksForValues: boolean }>();

function plainName(domain: string, matched: MatchedRules): MetricName {
  const parts = matched.map(({ key, value }) => part(key, value));
  return { rule: joined(domain, parts), detailed: undefined };
}

/** The whole descriptor, but for values that count together. */
function detailedPart(matched: MatchedRules): (entry: Entry, i: number) => string {
  return ({ key, value }, i) => part(key, matched[i]?.sharesThreshold ? matched[i].value : value);
}

function partsWithValues(entries: readonly Entry[], matched: MatchedRules): string[] {
  return matched.map((rule, i) => part(rule.key, showsValue(rule) ? entries[i]?.value : rule.value));
}

const showsValue = (rule: Rule): boolean => rule.showsValueInMetric && !rule.sharesThreshold && !isExact(rule);
const isExact = (rule: Rule): boolean => rule.value !== undefined && rule.wildcard === undefined;
const part = (key: string, value: string | undefined): string => (value ? `${key}_${value}` : key);
const joined = (domain: string, parts: readonly string[]): string => [domain, ...parts].join('.');

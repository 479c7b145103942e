import type { Unit } from './unit.js';

/** How a limit counts: `fixed_window` as envoyproxy/ratelimit does. */
export type Algorithm = 'token_bucket' | 'fixed_window';
export const ALGORITHMS: readonly Algorithm[] = ['token_bucket', 'fixed_window'];

export interface RuleLimit {
  /** A whole number from 0, which lets nothing through, to 4,294,967,295. A bucket holds as many. */
  requestsPerUnit: number;
  unit: Unit;
  algorithm: Algorithm;
}

/** One descriptor of the configuration. */
export interface Rule {
  key: string;
  /** As configured; undefined for the rule that is there for every value of the key. */
  value: string | undefined;
  /** The value parted at its `*`, each of which stands for any text; undefined where it has none. */
  wildcard: readonly string[] | undefined;
  /** Undefined: what matches passes uncounted. */
  limit: RuleLimit | 'unlimited' | undefined;
  /** Of the limit; empty where it has none. */
  name: string;
  /** Limits with these names are left aside in a call that this rule matches too. */
  replaces: readonly string[];
  /** Counted and told, but never over. */
  isShadow: boolean;
  /** A call is over only if every quota rule in it is over. */
  isQuota: boolean;
  /** All values that match the wildcard count together. */
  sharesThreshold: boolean;
  /** Metrics show the values of a whole descriptor. */
  hasDetailedMetric: boolean;
  /** Metrics show the value that matched this rule. */
  showsValueInMetric: boolean;
  beneath: RuleTable;
}

/** The rules of one level, by key. */
export type RuleTable = ReadonlyMap<string, RulesOfKey>;

export interface RulesOfKey {
  byValue: ReadonlyMap<string, Rule>;
  /** In the order of the file: the first that fits counts. */
  wildcards: readonly Rule[];
  otherwise: Rule | undefined;
}

export interface DomainRules {
  /** For limits that a call brings along. */
  algorithm: Algorithm;
  rules: RuleTable;
}

/** The rules of each domain. */
export type RuleSet = ReadonlyMap<string, DomainRules>;

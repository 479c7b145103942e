import type { CounterChild, Metrics } from '@tollgate/service-kit/metrics';

export type RuleResult = 'within_limit' | 'over_limit' | 'shadow_over_limit' | 'unlimited';

export interface RuleMetrics {
  /** `rule` is one of the configuration's names; `detailed` holds values of a call, where the configuration asks for that. */
  onRule(rule: string, detailed: string | undefined, result: RuleResult): void;
  onUnmatched(): void;
  onReload(result: 'loaded' | 'refused'): void;
}

/** Of all rules that were there since the start; one more is counted as `other`. */
const MAX_RULES = 2_000;
/** Values come from strangers, so there may be any number of them; one more is counted under its rule. */
const MAX_DETAILED = 1_000;
const MAX_NAME_CHARACTERS = 200;

type Children = Record<RuleResult, CounterChild>;

export function createRuleMetrics(metrics: Metrics, ruleCount: () => number): RuleMetrics {
  const decisions = metrics.counter({
    name: 'tollgate_ratelimit_rule_decisions_total',
    help: 'Descriptors of calls by the rule of RATELIMIT_CONFIG that they matched, and its result. "none": no limit for them.',
    labels: ['rule', 'result'],
  });
  const reloads = metrics.counter({
    name: 'tollgate_ratelimit_config_reloads_total',
    help: 'New content of RATELIMIT_CONFIG: loaded, or refused, which leaves the last good one in force.',
    labels: ['result'],
  });
  metrics.gauge({ name: 'tollgate_ratelimit_rules', help: 'Rules of RATELIMIT_CONFIG that are in force.', read: ruleCount });
  const childrenOf = (rule: string): Children => ({
    within_limit: decisions.with({ rule, result: 'within_limit' }),
    over_limit: decisions.with({ rule, result: 'over_limit' }),
    shadow_over_limit: decisions.with({ rule, result: 'shadow_over_limit' }),
    unlimited: decisions.with({ rule, result: 'unlimited' }),
  });
  const unmatched = decisions.with({ rule: 'none', result: 'unlimited' });
  const reloaded = { loaded: reloads.with({ result: 'loaded' }), refused: reloads.with({ result: 'refused' }) };
  const other = childrenOf('other');
  const byRule = new Map<string, Children>();
  const byDetail = new Map<string, Children>();

  const found = (known: Map<string, Children>, name: string, max: number): Children | undefined => {
    let children = known.get(name);
    if (children === undefined && known.size < max) {
      children = childrenOf(name);
      known.set(name, children);
    }
    return children;
  };
  return {
    onRule(rule, detailed, result) {
      const detail = detailed === undefined ? undefined : found(byDetail, shortened(detailed), MAX_DETAILED);
      const children = detail ?? found(byRule, shortened(rule), MAX_RULES) ?? other;
      children[result].inc();
    },
    onUnmatched: () => unmatched.inc(),
    onReload: (result) => reloaded[result].inc(),
  };
}

function shortened(name: string): string {
  return name.length <= MAX_NAME_CHARACTERS ? name : `${name.slice(0, MAX_NAME_CHARACTERS)}…`;
}

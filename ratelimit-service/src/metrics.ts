import type { Decision } from '@tollgate/limit-store/decide';
import type { Metrics } from '@tollgate/service-kit/metrics';

const RESULTS = ['allowed', 'limited', 'shadow', 'unlimited', 'failed'] as const;
const LIMITS = ['none', 'minute', 'day', 'month'] as const;

export interface RateLimitMetrics {
  onDecision(outcome: Decision | { kind: 'failed' }): void;
  /** `isDegraded`: not the store decided, but what stands in for it. */
  onStoreAnswer(durationMs: number, isDegraded: boolean): void;
}

export function createRateLimitMetrics(metrics: Metrics, isDegraded: () => boolean): RateLimitMetrics {
  const decisions = metrics.counter({
    name: 'tollgate_ratelimit_decisions_total',
    help: 'Answers to Envoy, by result and by the limit that tripped. "shadow": it passed, since that limit is in shadow. "failed": no limit could be read, the request passed.',
    labels: ['result', 'limit'],
  });
  const store = metrics
    .histogram({ name: 'tollgate_ratelimit_store_duration_seconds', help: 'Time that a take waited for its store.' })
    .with({});
  const degraded = metrics
    .counter({
      name: 'tollgate_ratelimit_degraded_takes_total',
      help: 'Takes that the store did not decide: it was late, it failed, or its breaker was open and it was not asked.',
    })
    .with({});
  metrics.gauge({
    name: 'tollgate_ratelimit_degraded',
    help: '1 while a breaker is open: the store is gone, is not asked, and RATELIMIT_STORE_DOWN decides.',
    read: () => (isDegraded() ? 1 : 0),
  });
  const resolved = new Map(
    RESULTS.flatMap((result) =>
      LIMITS.filter((limit) => (limit === 'none') !== (result === 'limited' || result === 'shadow')).map(
        (limit) => [`${result} ${limit}`, decisions.with({ result, limit })] as const,
      ),
    ),
  );
  return {
    onDecision: (outcome) => resolved.get(`${outcome.kind} ${'trip' in outcome ? outcome.trip.window : 'none'}`)?.inc(),
    onStoreAnswer(durationMs, isDegraded) {
      store.observe(durationMs / 1000);
      if (isDegraded) degraded.inc();
    },
  };
}

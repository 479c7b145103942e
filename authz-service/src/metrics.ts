import type { Metrics } from '@tollgate/service-kit/metrics';
import type { Decision, DenialCode } from './authorize.js';
import type { Lookup } from './key-cache.js';

const DENIALS: readonly DenialCode[] = [
  'missing_api_key',
  'malformed_api_key',
  'invalid_api_key',
  'revoked_api_key',
  'expired_api_key',
  'organization_suspended',
  'insufficient_scope',
];
const LOOKUPS: readonly Lookup[] = ['hit', 'miss', 'absent', 'stale', 'refused'];
const REVOCATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5];

export interface AuthzMetrics {
  onDecision(decision: Decision | { kind: 'unavailable' | 'shed' }, durationMs: number): void;
  onLookup(result: Lookup): void;
  /** From the statement that changed a key or an organization to its being applied here. */
  onChangeApplied(delayMs: number): void;
}

/** `trustState` and `knownKeys` are read at each scrape. */
export function createAuthzMetrics(
  metrics: Metrics,
  { trustState, knownKeys }: { trustState: () => number; knownKeys: () => number },
): AuthzMetrics {
  const decisions = metrics.counter({
    name: 'tollgate_authz_decisions_total',
    help: 'Answers to Envoy, by decision and reason.',
    labels: ['decision', 'reason'],
  });
  const lookups = metrics.counter({
    name: 'tollgate_key_cache_lookups_total',
    help: 'Look-ups of keys: from memory (hit, absent, stale), from the database (miss), or refused as unknown without a query.',
    labels: ['result'],
  });
  const duration = metrics.histogram({ name: 'tollgate_authz_duration_seconds', help: 'Time to decide.' }).with({});
  const revocation = metrics
    .histogram({
      name: 'tollgate_revocation_delay_seconds',
      help: 'From the statement that changed a key or an organization to its being applied here.',
      buckets: REVOCATION_BUCKETS,
    })
    .with({});
  metrics.gauge({
    name: 'tollgate_cache_trust_state',
    help: '0: changes are pushed. 1: changes are polled. 2: the database is unreachable, and cached keys go on for MAX_STALE.',
    read: trustState,
  });
  metrics.gauge({ name: 'tollgate_known_keys', help: 'Keys that exist, by fingerprint.', read: knownKeys });

  const allowed = decisions.with({ decision: 'allowed', reason: 'ok' });
  const unavailable = decisions.with({ decision: 'unavailable', reason: 'authorization_unavailable' });
  const shed = decisions.with({ decision: 'shed', reason: 'authorization_unavailable' });
  const denied = new Map(DENIALS.map((reason) => [reason, decisions.with({ decision: 'denied', reason })]));
  const looked = new Map(LOOKUPS.map((result) => [result, lookups.with({ result })]));

  return {
    onDecision(decision, durationMs) {
      if (decision.kind === 'shed') {
        shed.inc(); // Nothing was decided, so there is no time that it took.
        return;
      }
      duration.observe(durationMs / 1000);
      if (decision.kind === 'allowed') allowed.inc();
      else if (decision.kind === 'denied') denied.get(decision.code)?.inc();
      else unavailable.inc();
    },
    onLookup: (result) => looked.get(result)?.inc(),
    onChangeApplied: (delayMs) => revocation.observe(Math.max(0, delayMs) / 1000),
  };
}

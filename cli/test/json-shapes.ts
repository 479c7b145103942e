/** What `-o json` prints, as docs/cli.md shows it. The tests hold what is really printed to the same fields. */
const LIMITS = { per_minute: 1000, burst: 1500, per_day: 100000, per_month: null };
const NO_LIMITS = { per_minute: null, burst: null, per_day: null, per_month: null };
const ORGANIZATION_ID = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
const KEY_ID = '0f8fad5b-d9cb-469f-a165-70867728950e';

export const SHAPES = {
  organization: {
    id: ORGANIZATION_ID,
    name: 'Acme Ltd',
    plan: 'premium',
    is_active: true,
    billing_anchor_day: 1,
    created_at: '2026-11-23T09:59:48.123Z',
    limits: LIMITS,
  },
  key: {
    id: KEY_ID,
    organization_id: ORGANIZATION_ID,
    name: 'backend',
    environment: 'live',
    prefix: 'sk_live_4k2m',
    scopes: ['orders:read'],
    created_at: '2026-11-23T09:59:48.123Z',
    created_by: 'alice',
    expires_at: null,
    revoked_at: null,
    revoked_reason: null,
    last_used_at: null,
    rotated_from: null,
    replaced_by: null,
  },
  'key verify': {
    valid: false,
    code: 'revoked_api_key',
    message: 'This API key was revoked.',
    key_id: KEY_ID,
    organization_id: ORGANIZATION_ID,
    environment: 'live',
    plan: 'premium',
    scopes: ['orders:read'],
  },
  'key import': {
    file: 'keys.jsonl',
    dry_run: false,
    imported: 0,
    existing: 0,
    refused: 1,
    held_back: 4999,
    problems: [{ line: 12, problem: 'there is no such organization' }],
  },
  'org history': {
    id: '17',
    at: '2026-11-23T09:59:48.123Z',
    actor: 'alice',
    action: 'api_key.revoke',
    subject_kind: 'api_key',
    subject_id: KEY_ID,
    organization_id: ORGANIZATION_ID,
    details: { reason: 'leaked' },
  },
  plan: { name: 'premium', ...LIMITS },
  limits: {
    organization_id: ORGANIZATION_ID,
    plan: 'premium',
    limits: LIMITS,
    override: NO_LIMITS,
    keys: [{ key_id: KEY_ID, limits: LIMITS, override: NO_LIMITS }],
  },
  usage: {
    period_start: '2026-11-23T00:00:00.000Z',
    requests: 1200,
    billable_requests: 1100,
    billable_units: 1100,
    request_bytes: 0,
    response_bytes: 614400,
    avg_response_time_ms: 12.3,
    max_response_time_ms: 240.5,
  },
  'usage tail': {
    time: '2026-11-23T09:59:48.123456Z',
    event_id: '0f8fad5bd9cb469fa16570867728950e',
    request_id: '7c9e6679-7425-40de-944b-e07fc1f90ae7',
    api_key_id: KEY_ID,
    environment: 'live',
    method: 'GET',
    path: '/v1/orders',
    route: 'orders',
    status_code: 200,
    response_time_ms: 12.3,
    request_bytes: 0,
    response_bytes: 512,
    billable: true,
    units: 1,
    origin: 'upstream',
    node_id: 'gateway-1',
    shadow_limited: null,
  },
  'usage dead-letters list': {
    id: '17',
    at: '2026-11-23T09:59:48.123Z',
    reason: 'invalid units',
    log_id: '7c9e6679-7425-40de-944b-e07fc1f90ae7',
    topic: 'usage-events',
    partition: 0,
    offset: '4711',
    value: '{"v":1}',
    value_bytes: 7,
    value_hash: 'afbf9d0f3560b0fd7795e81c42a0a79ee6b6fc67e064f77826aee642cad28d91',
    replayed_at: null,
  },
  'usage dead-letters replay': {
    stored: 12,
    duplicates: 0,
    passed_over: 0,
    failed: 1,
    problems: [{ id: '17', reason: 'invalid units' }],
  },
  migrate: { name: '0001_organizations', state: 'applied', applied_at: '2026-11-23T09:59:48.123Z' },
  'config validate': { file: 'envoy.yaml', valid: true, envoy_version: '1.40.0', problems: [] },
  doctor: { check: 'database', status: 'ok', detail: 'PostgreSQL 18.4 answers', next_step: null },
};

/** The names of all fields, also of those within others, in their order. */
export function fieldsOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 || typeof value[0] !== 'object' ? 'list' : [fieldsOf(value[0])];
  if (typeof value !== 'object' || value === null) return 'value';
  return Object.entries(value).map(([name, inner]) => [name, fieldsOf(inner)]);
}

/** What `-o json` prints, as docs/cli.md shows it. The tests hold what is really printed to the same fields. */
const LIMITS = { per_minute: 1000, burst: 1500, per_day: 100000, per_month: null };
const NO_OVERRIDE = { per_minute: null, burst: null, per_day: null, per_month: null, is_shadow: null };
const ORGANIZATION_ID = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
const KEY_ID = '0f8fad5b-d9cb-469f-a165-70867728950e';

const COUNTER = {
  name: 'minute',
  scope: 'organization',
  limit: 1000,
  burst: 1500,
  remaining: 0,
  resets_at: '2026-11-23T10:01:18.000Z',
  is_shadow: false,
};

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
  plan: { name: 'premium', ...LIMITS, is_shadow: false },
  limits: {
    organization_id: ORGANIZATION_ID,
    plan: 'premium',
    limits: LIMITS,
    is_shadow: false,
    override: NO_OVERRIDE,
    keys: [{ key_id: KEY_ID, limits: LIMITS, is_shadow: false, override: NO_OVERRIDE }],
  },
  counters: { organization_id: ORGANIZATION_ID, limits: [COUNTER] },
  'counters explain': {
    key_id: KEY_ID,
    prefix: 'sk_live_4k2m',
    name: 'backend',
    environment: 'live',
    scopes: ['orders:read'],
    organization_id: ORGANIZATION_ID,
    organization: 'Acme Ltd',
    plan: 'premium',
    authorization: { allowed: true, code: null, message: 'The key is valid.', missing_scopes: [] },
    limits: [{ ...COUNTER, source: 'plan' }],
    next_request: {
      decision: 'limited',
      status: 429,
      code: 'rate_limit_exceeded',
      limit: 'minute',
      retry_after: 1,
      why: 'Of the limit of 1000 a minute, 0 are left; it fits in 1 s.',
    },
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
  migrate: { name: '0001_organizations', state: 'applied', applied_at: '2026-11-23T09:59:48.123Z' },
  'config validate': { file: 'envoy.yaml', valid: true, envoy_version: '1.40.0', problems: [] },
  'config validate --ratelimit': { path: 'rules.yaml', valid: true, domains: ['shop'], rules: 2, problems: [] },
  doctor: { check: 'database', status: 'ok', detail: 'PostgreSQL 18.4 answers', next_step: null },
};

/** The names of all fields, also of those within others, in their order. */
export function fieldsOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 || typeof value[0] !== 'object' ? 'list' : [fieldsOf(value[0])];
  if (typeof value !== 'object' || value === null) return 'value';
  return Object.entries(value).map(([name, inner]) => [name, fieldsOf(inner)]);
}

import { READY_PATH } from './local-replies.js';
import type { EnvoyConfig } from './options.js';
import { quoted, stacked } from './yaml-text.js';

/** The way of a request through the gateway, top to bottom; its answer comes back bottom to top. */
export function httpFilters(config: EnvoyConfig): string {
  return stacked(
    HEALTH_CHECK,
    config.corsOrigins.length === 0 ? undefined : CORS,
    EXT_AUTHZ,
    ratelimit(config.ratelimitTimeoutMs),
    TRAILERS,
    USAGE_UNITS,
    ROUTER,
  );
}

const HEALTH_CHECK = `# /health/ready: 503 while no authz is healthy (every keyed request would fail), and after POST /healthcheck/fail, so
# that a balancer stops sending before we stop. A dead ratelimit does not count: the gateway then serves without
# limits, and taking every gateway out of rotation for that would make a small trouble a large one.
- name: envoy.filters.http.health_check
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck
    pass_through_mode: false
    headers: [ { name: ":path", string_match: { safe_regex: { regex: ${quoted(READY_PATH)} } } } ]
    cluster_min_healthy_percentages: { authz: { value: 1 } }
`;

const CORS = `# Before authz: a browser's preflight carries no key. Answers of ours get the CORS headers as well.
- name: envoy.filters.http.cors
  typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors }
`;

const EXT_AUTHZ = `# authz: envoy.service.auth.v3.Authorization/Check with the request's headers. It answers with the identity: headers for
# the upstream, and metadata (organization_id, key_id, plan, environment) for the limiter and the usage stream.
- name: envoy.filters.http.ext_authz
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
    stat_prefix: apikey
    transport_api_version: V3
    grpc_service:
      envoy_grpc: { cluster_name: authz }
      timeout: 0.5s
      # A check changes nothing, so another instance may be asked. Without retry_back_off the second try comes too late;
      # max_interval is also the time that each try has.
      retry_policy:
        num_retries: 1
        retry_on: "unavailable,connect-failure,refused-stream,reset"
        retry_back_off: { base_interval: 0.005s, max_interval: 0.25s }
      # So that a denial can name the request. Never trusted.
      initial_metadata: [ { key: x-request-id, value: "%STREAM_ID%" } ]
    # Fail closed: without an answer there is no identity, hence neither limit nor usage. The status would be 403, which
    # looks like a bad key.
    failure_mode_allow: false
    status_on_error: { code: ServiceUnavailable }
    validate_mutations: true
    # authz needs nothing else, and what it does not get it cannot leak. It also makes the message six times smaller.
    allowed_headers: { patterns: [ { exact: x-api-key }, { exact: authorization } ] }
`;

const ratelimit = (
  timeoutMs: number,
): string => `# ratelimit: envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit, one call with one descriptor. The service finds
# the limits of this organization and key itself, and answers with the X-RateLimit headers and the body of a 429.
# A request without an organization (public route) makes no descriptor, hence no call.
- name: envoy.filters.http.ratelimit
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit
    domain: tollgate
    # Fail open, and soon: a limiter in trouble must not become an outage. Never retried: a take would debit twice.
    timeout: ${timeoutMs / 1000}s
    failure_mode_deny: false
    # enable_x_ratelimit_headers stays off: its draft-03 headers mix the windows, and the service sends better ones.
    # A gRPC client understands RESOURCE_EXHAUSTED; UNAVAILABLE would make it try again at once.
    rate_limited_as_resource_exhausted: true
    rate_limit_service:
      transport_api_version: V3
      grpc_service:
        envoy_grpc: { cluster_name: ratelimit }
        # ShouldRateLimit knows no headers: the only way in which a 429 can name the request. Never trusted.
        initial_metadata: [ { key: x-request-id, value: "%STREAM_ID%" } ]
    rate_limits:
    - actions:
      - metadata:
          descriptor_key: organization_id
          source: DYNAMIC
          metadata_key: { key: envoy.filters.http.ext_authz, path: [ { key: organization_id } ] }
      - metadata:
          descriptor_key: key_id
          source: DYNAMIC
          metadata_key: { key: envoy.filters.http.ext_authz, path: [ { key: key_id } ] }
`;

const TRAILERS = `# What may not stand in a header may not follow in a trailer: a gRPC upstream gets the trailers of a request too.
- name: envoy.filters.http.header_mutation
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
    mutations:
      request_trailers_mutations:
      - remove: x-organization-id
      - remove: x-api-key-id
      - remove: x-plan-tier
      - remove: x-request-id
      - remove: x-client-request-id
      - remove: x-api-key
      - remove: authorization
      - remove_on_match: { key_matcher: { prefix: x-tollgate- } }
`;

const USAGE_UNITS = `# The upstream reports what a request was worth in x-usage-units. That is between it and us: moved into metadata, which
# the usage stream carries, and gone from the answer.
- name: envoy.filters.http.header_to_metadata
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config
    response_rules:
    - header: x-usage-units
      on_header_present: { metadata_namespace: tollgate, key: units, type: STRING }
      remove: true
`;

const ROUTER = `- name: envoy.filters.http.router
  typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }`;

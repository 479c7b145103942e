import { healthBody } from './local-replies.js';
import type { EnvoyConfig, GatewayRoute } from './options.js';
import { UNTRACED } from './tracing.js';
import { upstreamClusterName, upstreamOf } from './upstream-clusters.js';
import { indented, quoted, seconds, stacked } from './yaml-text.js';

/** The largest integer that JSON carries without loss; Envoy wants the range to have an end. */
const NO_END = Number.MAX_SAFE_INTEGER;

/**
 * An Authorization that is ours: a key, after an optional Bearer, in any case. Several headers arrive as one value with
 * commas; one key among them is enough.
 */
const OUR_AUTHORIZATION = '(?is)(.*,)?[ \\t]*(bearer[ \\t]+)?sk_.*';

export function virtualHost(config: EnvoyConfig): string {
  return stacked(
    `name: gateway
domains: [ "*" ]`,
    config.corsOrigins.length === 0 ? undefined : corsPolicy(config.corsOrigins),
    'routes:',
    healthRoutes(config),
    config.routes.some(({ scope, public: isPublic }) => scope !== undefined || isPublic === true) ? PATH_PARAMETERS : undefined,
    config.maxRequestBytes === undefined ? undefined : tooLarge(config.maxRequestBytes),
    ...longestFirst(config.routes).map((route) => gatewayRoute(route, config)),
  );
}

function healthRoutes(config: EnvoyConfig): string {
  return stacked(
    '# The gateway is alive: answered by Envoy itself, without a key. (/health/ready: see its filter.)',
    ...['/health', '/health/live'].map((path) =>
      stacked(
        `- name: health
  match: { path: ${path} }
  direct_response: { status: 200, body_format: { json_format: ${healthBody('ok', config)} } }
  typed_per_filter_config: { ${WITHOUT_KEY} }`,
        config.tracing && indented(2, UNTRACED),
      ),
    ),
  );
}

const WITHOUT_KEY =
  'envoy.filters.http.ext_authz: { "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, disabled: true }';

/** Only where routes demand different things: elsewhere nothing can be passed by. */
const PATH_PARAMETERS = `# Servers of Java cut /orders;a=b/ down to /orders/ and /open/..;/orders to /orders; Envoy would see other paths, and a
# scope could be passed by.
- name: path-parameters
  match: { safe_regex: { regex: ".*(;|%3[bB]).*" } }
  direct_response: { status: 400 }
  typed_per_filter_config: { ${WITHOUT_KEY} }`;

/** Envoy streams bodies and so never sees how long one is; what it can refuse is a length that was announced. */
function tooLarge(maxBytes: number): string {
  return `# A body that announces itself as too long is refused before a byte of it is read.
- name: payload-too-large
  match:
    prefix: /
    headers: [ { name: content-length, range_match: { start: ${maxBytes + 1}, end: ${NO_END} } } ]
  direct_response: { status: 413 }
  typed_per_filter_config: { ${WITHOUT_KEY} }`;
}

/** Envoy takes the first route that matches, so the more special one must stand first: a scope must not be passed by. */
function longestFirst(routes: readonly GatewayRoute[]): GatewayRoute[] {
  return routes.toSorted((a, b) => b.prefix.length - a.prefix.length);
}

function gatewayRoute(route: GatewayRoute, config: EnvoyConfig): string {
  return route.public === true ? publicRoute(route, config) : keyedRoute(route, config);
}

function keyedRoute(route: GatewayRoute, config: EnvoyConfig): string {
  return stacked(
    `- name: ${quoted(route.name)}
  match: { ${prefixMatch(route.prefix)} }`,
    route.scope === undefined ? undefined : demandedScope(route.scope),
    routeAction(route, config),
  );
}

function demandedScope(scope: string): string {
  return `  # authz denies keys without this scope.
  typed_per_filter_config:
    envoy.filters.http.ext_authz:
      "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
      check_settings: { context_extensions: { scope: ${quoted(scope)} } }`;
}

/** authz takes the key out of a request; where it is not asked, the route has to. */
function publicRoute(route: GatewayRoute, config: EnvoyConfig): string {
  const variant = (match: string, removed: string) => `- name: ${quoted(route.name)}
  match: ${match}
  request_headers_to_remove: [ ${removed} ]
  typed_per_filter_config: { ${WITHOUT_KEY} }
${routeAction(route, config)}`;
  const ours = `[ { name: authorization, string_match: { safe_regex: { regex: ${quoted(OUR_AUTHORIZATION)} } } } ]`;
  return stacked(
    '# Public: needs no key, and passes none on. An Authorization that is no key of ours belongs to the upstream.',
    variant(`{ ${prefixMatch(route.prefix)}, headers: ${ours} }`, 'x-api-key, authorization'),
    variant(`{ ${prefixMatch(route.prefix)} }`, 'x-api-key'),
  );
}

/** Without a slash at its end a prefix means whole segments, or /v1/orders would match /v1/orders-internal too. */
function prefixMatch(prefix: string): string {
  return prefix.endsWith('/') ? `prefix: ${quoted(prefix)}` : `path_separated_prefix: ${quoted(prefix)}`;
}

function routeAction(route: GatewayRoute, config: EnvoyConfig): string {
  const upstream = upstreamOf(route);
  const isStreaming = route.streaming === true;
  return indented(
    2,
    stacked(
      `route:
  cluster: ${quoted(upstreamClusterName(route))}`,
      isStreaming
        ? `  # A stream may last and be silent; max_stream_duration ends it all the same.
  timeout: 0s
  idle_timeout: 0s`
        : `  timeout: ${seconds(route.timeoutMs ?? config.upstreamTimeoutMs)}`,
      upstream.isTls
        ? `  # Servers behind https choose by name; the name that the caller used travels as X-Forwarded-Host.
  host_rewrite_literal: ${quoted(upstream.authority)}
  append_x_forwarded_host: true`
        : undefined,
      `  # Only what the upstream cannot have begun: safe for POST too. Another host if there is one.
  retry_policy:
    retry_on: "connect-failure,refused-stream,reset-before-request"
    num_retries: 2
    retry_host_predicate:
    - name: envoy.retry_host_predicates.previous_hosts
      typed_config: { "@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate }
    host_selection_retry_max_attempts: 3`,
    ),
  );
}

function corsPolicy(origins: readonly string[]): string {
  const matches = origins.map((origin) => `{ exact: ${quoted(origin)} }`).join(', ');
  return `# Preflights of these origins are answered by Envoy. Keys are no cookies, so credentials stay off, and "*" may stand for
# the upstream's own headers; a browser never lets it stand for Authorization.
typed_per_filter_config:
  envoy.filters.http.cors:
    "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy
    allow_origin_string_match: [ ${matches} ]
    allow_methods: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
    allow_headers: "*, authorization"
    expose_headers: "*"
    max_age: "600"`;
}

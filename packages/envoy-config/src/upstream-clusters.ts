import { isIP } from 'node:net';
import type { EnvoyConfig, GatewayRoute } from './options.js';
import { isHostName, parseUpstreamUrl, type Upstream } from './upstream-url.js';
import { envoyAddress, indented, quoted, stacked } from './yaml-text.js';

/** The APIs behind the gateway, one cluster a route, so that a slow one cannot use up another's connections. */
export function upstreamClusters(config: EnvoyConfig): string {
  return stacked(
    '# The APIs behind the gateway: one cluster a route, so that a slow one cannot use up the connections of another.',
    ...config.routes.map((route) => upstreamCluster(route, config.upstreamCaFile)),
  );
}

export function upstreamClusterName(route: GatewayRoute): string {
  return `upstream-${route.name}`;
}

/** The upstream of a route that was checked before. */
export function upstreamOf(route: GatewayRoute): Upstream {
  const parsed = parseUpstreamUrl(route.upstream);
  if (parsed.kind === 'refused') throw new Error(`route ${route.name}: the upstream ${parsed.reason}`);
  return parsed.upstream;
}

function upstreamCluster(route: GatewayRoute, caFile: string): string {
  const upstream = upstreamOf(route);
  const name = quoted(upstreamClusterName(route));
  const body = stacked(
    discovery(upstream),
    `connect_timeout: 1s
circuit_breakers: { thresholds: [ { max_connections: 8192, max_requests: 8192, max_pending_requests: 8192, max_retries: 64 } ] }`,
    protocol(upstream),
    upstream.isTls ? clusterTls(upstream, caFile) : undefined,
    `load_assignment:
  cluster_name: ${name}
  endpoints: [ { lb_endpoints: [ { endpoint: { address: ${envoyAddress(upstream)} } } ] } ]`,
  );
  return `- name: ${name}\n${indented(2, body)}`;
}

/** How the addresses of a host are found: fields of its cluster. */
export function discovery({ host }: Upstream): string {
  if (!isHostName(host)) return 'type: STATIC';
  // Names that mean both ::1 and 127.0.0.1, while most servers listen on one: this type tries both at each connect.
  if (host === 'localhost') return 'type: LOGICAL_DNS\ndns_lookup_family: ALL';
  return 'type: STRICT_DNS\ndns_lookup_family: V4_PREFERRED\nrespect_dns_ttl: true';
}

function protocol({ isGrpc }: Upstream): string {
  return `typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: { ${isGrpc ? 'http2_protocol_options' : 'http_protocol_options'}: {} }
${indented(4, ANSWER_HEADERS)}`;
}

/**
 * In the upstream's own chain of filters and not in the listener's: there it would also take our rate limit headers from
 * a 429, which passes the listener's filters after they were added.
 */
const ANSWER_HEADERS = `# What an upstream says in our name does not reach the caller: limits of its own, or our identity headers echoed back.
# These filters see the upstream's answers only; ours are added later, on the way out.
http_filters:
- name: envoy.filters.http.header_mutation
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
    mutations:
      response_mutations:
      - remove_on_match: { key_matcher: { prefix: x-ratelimit-, ignore_case: true } }
      - remove_on_match: { key_matcher: { prefix: ratelimit-, ignore_case: true } }
      - remove: ratelimit
      - remove: x-organization-id
      - remove: x-api-key-id
      - remove: x-plan-tier
- name: envoy.filters.http.upstream_codec
  typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec }`;

/** TLS of a cluster to this host, whose name must be in its certificate. */
export function clusterTls({ host, isGrpc }: Upstream, caFile: string): string {
  const sanType = isIP(host) === 0 ? 'DNS' : 'IP_ADDRESS';
  return stacked(
    `# The chain alone would let any holder of a public certificate stand in for the upstream: its name is verified too.
transport_socket:
  name: envoy.transport_sockets.tls
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
    sanType === 'DNS' ? `    sni: ${quoted(host)}` : undefined,
    `    common_tls_context:
      alpn_protocols: [ ${isGrpc ? 'h2' : 'http/1.1'} ]
      tls_params: { tls_minimum_protocol_version: TLSv1_2 }
      validation_context:
        trusted_ca: { filename: ${quoted(caFile)} }
        match_typed_subject_alt_names: [ { san_type: ${sanType}, matcher: { exact: ${quoted(host)} } } ]`,
  );
}

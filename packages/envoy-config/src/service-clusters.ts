import type { Address, EnvoyConfig, ServiceName } from './options.js';
import { serviceTls } from './service-tls.js';
import { isHostName } from './upstream-url.js';
import { envoyAddress, indented, stacked } from './yaml-text.js';

/** The three services of ours that Envoy talks to. */
export function serviceClusters(config: EnvoyConfig): string {
  return stacked(
    `# authz: one endpoint for each process. A new connection every ten minutes, so that a process that came later gets work.
# Overload is refused here, which costs next to nothing: authz would pay for each refusal nearly as much as for a decision.`,
    serviceCluster('authz', config, {
      maxRequests: REQUESTS_OF_ONE_AUTHZ * config.authz.length,
      maxRetries: 100,
      unhealthyThreshold: 2,
      maxConnectionSeconds: 600,
    }),
    '# ratelimit: no retry may happen here whatever a filter asks for, as a retried take would debit twice.',
    serviceCluster('ratelimit', config, { maxRetries: 0, unhealthyThreshold: 2, maxConnectionSeconds: 600 }),
    `# usage: one failed check is enough, for what is kept is safe and what is sent to a dead collector is not. No end of a
# connection's life, which would cut the stream. Kept batches are large, so the connection may buffer more than 1 MiB.`,
    serviceCluster('usage', config, { maxRetries: 0, unhealthyThreshold: 1, bufferBytes: 8 * 1024 * 1024 }),
  );
}

/**
 * What an authz may still have to answer when there is more than it can: a tenth of a second of work, so that whoever is
 * let in is served well before its try ends after 0.25 s. A pause of 100 ms at 10,000 requests a second is within it.
 */
const REQUESTS_OF_ONE_AUTHZ = 1024;
/** The default of 1024 requests at once is passed by 10,000 a second and a pause of 100 ms: everything would be 503. */
const REQUESTS = 8192;

interface ServiceClusterOptions {
  /** In flight at once; the others are refused by Envoy itself. */
  maxRequests?: number;
  maxRetries: number;
  unhealthyThreshold: number;
  maxConnectionSeconds?: number;
  bufferBytes?: number;
}

function serviceCluster(name: ServiceName, config: EnvoyConfig, options: ServiceClusterOptions): string {
  const addresses = config[name];
  const { maxRequests = REQUESTS, maxRetries, unhealthyThreshold, maxConnectionSeconds, bufferBytes } = options;
  const body = stacked(
    `type: ${clusterType(addresses)}
connect_timeout: 0.25s
lb_policy: LEAST_REQUEST`,
    bufferBytes === undefined ? undefined : `per_connection_buffer_limit_bytes: ${bufferBytes}`,
    `circuit_breakers: { thresholds: [ { max_requests: ${maxRequests}, max_pending_requests: ${maxRequests}, max_retries: ${maxRetries}, track_remaining: true } ] }
# Without an answer to pings a half-open connection would cost each request its whole timeout.
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions`,
    maxConnectionSeconds === undefined
      ? undefined
      : `    common_http_protocol_options: { max_connection_duration: ${maxConnectionSeconds}s }`,
    `    explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: 10s, timeout: 2s } } }
# grpc.health.v1. Without traffic Envoy would look once a minute; with the default panic it would use dead hosts.
health_checks: [ { timeout: 0.5s, interval: 1s, no_traffic_interval: 1s, unhealthy_threshold: ${unhealthyThreshold}, healthy_threshold: 1, grpc_health_check: {} } ]
common_lb_config: { healthy_panic_threshold: { value: 0 } }`,
    // Of a lone host it would make an outage out of a hiccup.
    name !== 'usage' && addresses.length > 1 ? OUTLIERS : undefined,
    serviceTls(name, config),
    `load_assignment:
  cluster_name: ${name}
  endpoints:
  - lb_endpoints:`,
    indented(4, addresses.map((address) => `- endpoint: { address: ${envoyAddress(address)} }`).join('\n')),
  );
  return `- name: ${name}\n${indented(2, body)}\n`;
}

/** A killed process is found out by the calls that it refuses, well before two health checks have failed. */
const OUTLIERS = `# Five refused or broken connections in a row, and a host gets no calls for five seconds. Answers, whatever they say, do
# not count.
outlier_detection:
  split_external_local_origin_errors: true
  consecutive_local_origin_failure: 5
  enforcing_consecutive_local_origin_failure: 100
  enforcing_consecutive_5xx: 0
  enforcing_consecutive_gateway_failure: 0
  enforcing_success_rate: 0
  enforcing_local_origin_success_rate: 0
  interval: 1s
  base_ejection_time: 5s
  max_ejection_percent: 50`;

function clusterType(addresses: readonly Address[]): 'STATIC' | 'STRICT_DNS' {
  return addresses.some((address) => !('unix' in address) && isHostName(address.host)) ? 'STRICT_DNS' : 'STATIC';
}

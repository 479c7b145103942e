import type { EnvoyConfig, TracingOptions } from './options.js';
import { clusterTls, discovery } from './upstream-clusters.js';
import { parseUpstreamUrl, type Upstream } from './upstream-url.js';
import { envoyAddress, indented, quoted, stacked } from './yaml-text.js';

const CLUSTER = 'otlp';
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const MILLION = 1_000_000;

/** What is wrong with them; each completes the sentence "tracing: …". */
export function tracingFaults({ endpoint, headers = {}, sampledShare = 1 }: TracingOptions): string[] {
  const parsed = collectorOf(endpoint);
  return [
    ...(parsed === undefined
      ? ['the endpoint must be a URL such as http://collector:4318, without user, query and fragment']
      : []),
    ...(sampledShare >= 0 && sampledShare <= 1 ? [] : ['the sampled share must be from 0 to 1']),
    ...Object.entries(headers)
      .filter(([name, variable]) => !HEADER_NAME.test(name) || !VARIABLE.test(variable))
      .map(([name]) => `the header ${JSON.stringify(name)} needs a name in lower case, and a variable of the environment`),
  ];
}

interface Collector {
  upstream: Upstream;
  /** Where it takes spans. */
  url: string;
}

/** Undefined where the endpoint is no address of a collector. */
function collectorOf(endpoint: string): Collector | undefined {
  if (!URL.canParse(endpoint)) return undefined;
  const { protocol, host, pathname, username, password, search, hash } = new URL(endpoint);
  if (protocol !== 'http:' && protocol !== 'https:') return undefined;
  if ([username, password, search, hash].some((part) => part !== '')) return undefined;
  const origin = `${protocol}//${host}`;
  const parsed = parseUpstreamUrl(origin);
  if (parsed.kind === 'refused') return undefined;
  return { upstream: parsed.upstream, url: `${origin}${pathname.replace(/\/+$/, '')}/v1/traces` };
}

function checkedCollector({ endpoint }: TracingOptions): Collector {
  const collector = collectorOf(endpoint);
  if (collector === undefined) throw new Error('the endpoint of traces was not checked');
  return collector;
}

/** Fields of the connection manager: which requests are traced, and where their spans go. */
export function tracing({ tracing: options }: EnvoyConfig): string | undefined {
  if (options === undefined) return undefined;
  const { url } = checkedCollector(options);
  const { headers = {}, sampledShare = 1 } = options;
  return stacked(
    `# Spans by OpenTelemetry. authz and ratelimit get the trace in the metadata of their calls, the upstream in its headers.
# X-Request-ID stays a plain UUID: by itself Envoy would write its decision to trace into it.
request_id_extension:
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig
    pack_trace_reason: false
tracing:
  # The sampler below decides alone: with less than 100 Envoy would leave out requests whose callers have decided. Nobody can ask by
  # x-client-trace-id.
  client_sampling: { value: 0 }
  random_sampling: { value: 100 }
  overall_sampling: { value: 100 }
  # The upstream's time has a span of its own.
  spawn_upstream_span: true
  # A path may hold what is nobody's business, a key put there by mistake too. The route is told instead.
  max_path_tag_length: 0
  operation: "%REQ(:METHOD):16% %ROUTE_NAME%"
  custom_tags:
  - { tag: http.route, value: "%ROUTE_NAME%" }
  provider:
    name: envoy.tracers.opentelemetry
    typed_config:
      "@type": type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig
      service_name: tollgate-gateway
      http_service:
        http_uri: { uri: ${quoted(url)}, cluster: ${CLUSTER}, timeout: 5s }`,
    Object.keys(headers).length === 0 ? undefined : `        request_headers_to_add:`,
    ...Object.entries(headers).map(
      ([name, variable]) => `        - header: { key: ${quoted(name)}, value: "%ENVIRONMENT(${variable})%" }`,
    ),
    indented(6, sampler(sampledShare)),
  );
}

function sampler(share: number): string {
  return `# Who comes with a traceparent has decided; of the others this share is traced.
sampler:
  name: envoy.tracers.opentelemetry.samplers.parent_based
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.tracers.opentelemetry.samplers.v3.ParentBasedSamplerConfig
    wrapped_sampler:
      name: envoy.tracers.opentelemetry.samplers.trace_id_ratio_based
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.tracers.opentelemetry.samplers.v3.TraceIdRatioBasedSamplerConfig
        sampling_percentage: { numerator: ${Math.round(share * MILLION)}, denominator: MILLION }`;
}

/** Mutations of early headers, for callers who may not say what is traced. */
export const FOREIGN_TRACES = `# Every trace begins here, whatever a caller says of its own.
- remove: traceparent
- remove: tracestate`;

/** A field of a route whose requests are never traced. */
export const UNTRACED = 'tracing: { client_sampling: { numerator: 0 }, random_sampling: { numerator: 0 } }';

/** The collector of spans, for which nothing waits. */
export function tracingCluster({ tracing: options, upstreamCaFile }: EnvoyConfig): string | undefined {
  if (options === undefined) return undefined;
  const { upstream } = checkedCollector(options);
  const body = stacked(
    discovery(upstream),
    `connect_timeout: 1s
# Whatever becomes of spans, no request waits for them: what the collector does not take in time is dropped.
circuit_breakers: { thresholds: [ { max_connections: 4, max_requests: 64, max_pending_requests: 64, max_retries: 0 } ] }`,
    upstream.isTls ? clusterTls(upstream, upstreamCaFile) : undefined,
    `load_assignment:
  cluster_name: ${CLUSTER}
  endpoints: [ { lb_endpoints: [ { endpoint: { address: ${envoyAddress(upstream)} } } ] } ]`,
  );
  return `# otlp: where spans go.\n- name: ${CLUSTER}\n${indented(2, body)}\n`;
}

/** Of the process: by itself Envoy would send every five spans. */
export function tracingRuntime({ tracing: options }: EnvoyConfig): string | undefined {
  return options && TRACING_RUNTIME;
}

const TRACING_RUNTIME = `
# Spans are sent when so many wait in a worker, and each second.
layered_runtime:
  layers:
  - name: tracing
    static_layer: { tracing.opentelemetry.min_flush_spans: 256, tracing.opentelemetry.flush_interval_ms: 1000 }`;

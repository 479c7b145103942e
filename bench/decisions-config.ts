import { stringify } from 'yaml';

/** Some organizations for each number of limits, each with a key. */
export type Organizations = Record<'day' | 'month' | 'key', readonly { organizationId: string; keyId: string }[]>;

/** What is asked of which limiter; the name is that of a cluster too, so that Envoy counts the answers apart. */
export interface Question {
  name: string;
  describe: string;
  domain: string;
  /** The entries of the one descriptor, for each caller. */
  callers: readonly Entries[];
  limiterPort: number;
}

type Entries = Readonly<Record<string, string>>;

export function asked(organizations: Organizations, oursPort: number, theirsPort: number | undefined): Question[] {
  const clients = organizations.day.map((_, i) => ({ client: `bench-${i}` }));
  const ofOrganizations = (each: Organizations['day']) =>
    each.map(({ organizationId, keyId }) => ({ organization_id: organizationId, key_id: keyId }));
  const ours = (name: string, describe: string, domain: string, callers: Question['callers']): Question => ({
    ...{ name, describe, domain, callers },
    limiterPort: oursPort,
  });
  return [
    ...(theirsPort === undefined
      ? []
      : [{ ...ours('theirs', 'envoyproxy/ratelimit, one rule', 'bench', clients), limiterPort: theirsPort }]),
    ours('bucket', 'ratelimit, the same rule as a token bucket', 'bench', clients),
    ours('window', 'ratelimit, the same rule as a fixed window', 'bench_window', clients),
    ours('two_limits', 'ratelimit, an organization: minute and day', 'tollgate', ofOrganizations(organizations.day)),
    ours('three_limits', '… and month', 'tollgate', ofOrganizations(organizations.month)),
    ours('four_limits', "… and the key's own minute", 'tollgate', ofOrganizations(organizations.key)),
  ];
}

const LIMITER_TIMEOUT = '5s';

/** A listener for each question; behind all of them one upstream. */
export function decisionsConfig(questions: readonly (Question & { port: number })[], upstreamPort: number): string {
  const limiters = [...new Set(questions.map(({ limiterPort }) => limiterPort))];
  return stringify({
    admin: { address: loopback(0) },
    static_resources: {
      listeners: questions.map(listener),
      clusters: [
        ...questions.map(({ name }) => cluster(name, upstreamPort)),
        ...limiters.map((port) => ({ ...cluster(`limiter_${port}`, port), ...HTTP2 })),
      ],
    },
  });
}

const HTTP2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

function cluster(name: string, port: number) {
  const endpoint = { endpoint: { address: loopback(port) } };
  return { name, type: 'STATIC', load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] } };
}

function listener(question: Question & { port: number }) {
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: question.name,
    http_filters: [
      {
        name: 'envoy.filters.http.ratelimit',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit',
          domain: question.domain,
          timeout: LIMITER_TIMEOUT,
          rate_limit_service: {
            transport_api_version: 'V3',
            grpc_service: { envoy_grpc: { cluster_name: `limiter_${question.limiterPort}` } },
          },
        },
      },
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route(question)] }] },
  };
  const filter = { name: 'envoy.filters.network.http_connection_manager', typed_config: manager };
  return { name: question.name, address: loopback(question.port), filter_chains: [{ filters: [filter] }] };
}

/** The entries come in headers of these names. */
const headerOf = (key: string): string => `x-${key.replaceAll('_', '-')}`;

/** Of a request for which Envoy asks so. */
export function headersOf(entries: Entries): Record<string, string> {
  return Object.fromEntries(Object.entries(entries).map(([key, value]) => [headerOf(key), value]));
}

function route({ name, callers }: Question) {
  const actions = Object.keys(callers[0] ?? {}).map((key) => ({
    request_headers: { header_name: headerOf(key), descriptor_key: key },
  }));
  return { match: { prefix: '/' }, route: { cluster: name, rate_limits: [{ actions }] } };
}

function loopback(port: number) {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

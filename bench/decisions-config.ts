import { stringify } from 'yaml';

/** One organization for each number of limits, with a key. */
export type Organizations = Record<'day' | 'month' | 'key', { id: string; keyId: string }>;

/** What is asked of which limiter; the name is that of a cluster too, so that Envoy counts the answers apart. */
export interface Question {
  name: string;
  describe: string;
  domain: string;
  /** Of the one descriptor. */
  entries: Readonly<Record<string, string>>;
  limiterPort: number;
}

export function asked(organizations: Organizations, oursPort: number, theirsPort: number | undefined): Question[] {
  const client = { client: 'bench' };
  const ofOrganization = ({ id, keyId }: Organizations['day']) => ({ organization_id: id, key_id: keyId });
  const ours = (name: string, describe: string, domain: string, entries: Question['entries']): Question => ({
    ...{ name, describe, domain, entries },
    limiterPort: oursPort,
  });
  return [
    ...(theirsPort === undefined
      ? []
      : [{ ...ours('theirs', 'envoyproxy/ratelimit, one rule', 'bench', client), limiterPort: theirsPort }]),
    ours('bucket', 'ratelimit, the same rule as a token bucket', 'bench', client),
    ours('window', 'ratelimit, the same rule as a fixed window', 'bench_window', client),
    ours('two_limits', 'ratelimit, an organization: minute and day', 'tollgate', ofOrganization(organizations.day)),
    ours('three_limits', '… and month', 'tollgate', ofOrganization(organizations.month)),
    ours('four_limits', "… and the key's own minute", 'tollgate', ofOrganization(organizations.key)),
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

function route({ name, entries }: Question) {
  const actions = Object.entries(entries).map(([descriptor_key, descriptor_value]) => ({
    generic_key: { descriptor_key, descriptor_value },
  }));
  return { match: { prefix: '/' }, route: { cluster: name, rate_limits: [{ actions }] } };
}

function loopback(port: number) {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

/** The other side of the comparison: Envoy without the gateway, and the API behind both. */
import type { EnvoyConfigOptions } from '@tollgate/envoy-config/options';
import { renderEnvoyConfig } from '@tollgate/envoy-config/render-envoy-config';
import { parse, stringify } from 'yaml';

/** What of the configuration is touched here. */
interface Configuration {
  static_resources: {
    listeners: { filter_chains: { filters: { typed_config: ConnectionManager }[] }[] }[];
    clusters: { name: string }[];
  };
}
interface ConnectionManager {
  access_log?: unknown;
  http_filters: { name: string; typed_config: { cluster_min_healthy_percentages?: unknown } }[];
}

/** The call-outs of the gateway, by the cluster that they ask. */
export type CallOut = 'authz' | 'ratelimit' | 'usage';

const CALL_OUTS: readonly CallOut[] = ['authz', 'ratelimit', 'usage'];
const FILTERS: Readonly<Record<string, CallOut>> = {
  'envoy.filters.http.ext_authz': 'authz',
  'envoy.filters.http.ratelimit': 'ratelimit',
};

/** The gateway's own configuration, less its three call-outs: ext_authz, ratelimit and the access log; or with some of them. */
export function envoyAloneConfig(options: EnvoyConfigOptions, kept: readonly CallOut[] = []): string {
  const isGone = (callOut: string | undefined): boolean => CALL_OUTS.some((each) => each === callOut && !kept.includes(each));
  const config = parse(renderEnvoyConfig(options)) as Configuration;
  const { static_resources: resources } = config;
  const manager = resources.listeners[0]?.filter_chains[0]?.filters[0]?.typed_config;
  if (manager === undefined) throw new Error('the rendered configuration has another shape than expected');
  if (isGone('usage')) delete manager.access_log;
  manager.http_filters = manager.http_filters.filter(({ name }) => !isGone(FILTERS[name]));
  for (const filter of manager.http_filters) delete filter.typed_config.cluster_min_healthy_percentages;
  resources.clusters = resources.clusters.filter(({ name }) => !isGone(name));
  return stringify(config);
}

/** An API that costs next to nothing: an Envoy that answers everything by itself. */
export function upstreamConfig(port: number): string {
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'upstream',
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
    route_config: {
      virtual_hosts: [
        {
          name: 'upstream',
          domains: ['*'],
          routes: [
            { match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: '{"message":"Hello."}\n' } } },
          ],
        },
      ],
    },
  };
  return stringify({
    admin: { address: loopback(0) },
    static_resources: {
      listeners: [
        {
          name: 'upstream',
          address: loopback(port),
          filter_chains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] }],
        },
      ],
    },
  });
}

function loopback(port: number) {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

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

const OF_THE_GATEWAY = ['envoy.filters.http.ext_authz', 'envoy.filters.http.ratelimit'];
const SERVICES = ['authz', 'ratelimit', 'usage'];

/** The gateway's own configuration, less its three call-outs: ext_authz, ratelimit and the access log. */
export function envoyAloneConfig(options: EnvoyConfigOptions): string {
  const config = parse(renderEnvoyConfig(options)) as Configuration;
  const { static_resources: resources } = config;
  const manager = resources.listeners[0]?.filter_chains[0]?.filters[0]?.typed_config;
  if (manager === undefined) throw new Error('the rendered configuration has another shape than expected');
  delete manager.access_log;
  manager.http_filters = manager.http_filters.filter(({ name }) => !OF_THE_GATEWAY.includes(name));
  for (const filter of manager.http_filters) delete filter.typed_config.cluster_min_healthy_percentages;
  resources.clusters = resources.clusters.filter(({ name }) => !SERVICES.includes(name));
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

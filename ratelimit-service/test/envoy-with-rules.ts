import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runEnvoy } from '@tollgate/testing/envoy';
import { until } from '@tollgate/testing/until';

/**
 * An Envoy of a user of envoyproxy/ratelimit: its own domain and actions, with nothing of ours but the address. What the
 * limiter lets through is answered with 200.
 */
export async function envoyWithRules(limiter: string): Promise<{ url: string; close(): Promise<void> }> {
  const [host, port] = limiter.split(':');
  const upstream = createServer((_, response) => response.end('through')).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const envoy = await runEnvoy(configFor({ host: host ?? '', port: Number(port) }, (upstream.address() as AddressInfo).port));
  const url = await until(async () => {
    const page = await fetch(`${envoy.adminUrl}/listeners?format=json`);
    const { listener_statuses } = (await page.json()) as { listener_statuses?: Listening[] };
    const address = listener_statuses?.[0]?.local_address.socket_address.port_value;
    return address !== undefined && `http://127.0.0.1:${address}`;
  });
  const close = async (): Promise<void> => {
    await envoy.close();
    upstream.close();
  };
  return { url, close };
}

interface Listening {
  local_address: { socket_address: { port_value: number } };
}

const configFor = (limiter: { host: string; port: number }, upstreamPort: number): string => `
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
static_resources:
  listeners:
  - name: shop
    address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: shop
          http_filters:
          - name: envoy.filters.http.ratelimit
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit
              domain: shop
              timeout: 5s
              enable_x_ratelimit_headers: DRAFT_VERSION_03
              rate_limit_service:
                transport_api_version: V3
                grpc_service: { envoy_grpc: { cluster_name: limiter } }
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
          route_config:
            virtual_hosts:
            - name: shop
              domains: ["*"]
              routes:
              - match: { prefix: / }
                route: { cluster: upstream }
              typed_per_filter_config:
                envoy.filters.http.ratelimit:
                  "@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute
                  rate_limits:
                  - actions:
                    - request_headers: { header_name: x-user, descriptor_key: user }
                  - actions:
                    - request_headers: { header_name: ":path", descriptor_key: path }
                    - header_value_match:
                        descriptor_key: method
                        descriptor_value: write
                        headers: [ { name: ":method", string_match: { exact: POST } } ]
                  - actions:
                    - request_headers: { header_name: x-tokens, descriptor_key: tokens }
                    hits_addend: { format: "%REQ(x-tokens)%" }
  clusters:
  - name: limiter
    type: STATIC
    connect_timeout: 1s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
    load_assignment: ${endpoint('limiter', limiter)}
  - name: upstream
    type: STATIC
    connect_timeout: 1s
    load_assignment: ${endpoint('upstream', { host: '127.0.0.1', port: upstreamPort })}
`;

const endpoint = (name: string, { host, port }: { host: string; port: number }): string =>
  JSON.stringify({
    cluster_name: name,
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: host, port_value: port } } } }] }],
  });

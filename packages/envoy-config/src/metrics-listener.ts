import type { Address, TcpAddress } from './options.js';
import { envoyAddress, indented } from './yaml-text.js';

/** The admin interface can stop the gateway, so Prometheus elsewhere gets this door: one page of it, and nothing else. */
export function metricsListener(metrics: TcpAddress): string {
  return `# For Prometheus on another machine: the one page of the admin interface that only looks.
name: metrics
address: ${envoyAddress(metrics)}
# Answers too when callers have used up all connections: then it is needed most.
ignore_global_conn_limit: true
filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: metrics
      route_config:
        name: metrics
        virtual_hosts:
        - name: metrics
          domains: [ "*" ]
          routes:
          - match: { path: /stats/prometheus, headers: [ { name: ":method", string_match: { exact: GET } } ] }
            route: { cluster: admin, timeout: 10s }
      http_filters:
      - name: envoy.filters.http.router
        typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }`;
}

export function adminCluster(admin: Address): string {
  const body = `type: STATIC
connect_timeout: 1s
load_assignment:
  cluster_name: admin
  endpoints: [ { lb_endpoints: [ { endpoint: { address: ${envoyAddress(admin)} } } ] } ]`;
  return `- name: admin\n${indented(2, body)}`;
}

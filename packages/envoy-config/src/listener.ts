import { accessLogs } from './access-log.js';
import { httpFilters } from './http-filters.js';
import { localReplies } from './local-replies.js';
import type { CertificateFiles, EnvoyConfig } from './options.js';
import { virtualHost } from './routes.js';
import { gatewayCertificate } from './secrets.js';
import { FOREIGN_TRACES, tracing } from './tracing.js';
import { asItem, envoyAddress, indented, seconds, stacked } from './yaml-text.js';

/** The one door of the gateway. */
export function listener(config: EnvoyConfig): string {
  return stacked(
    `name: gateway
address: ${envoyAddress(config.gateway)}
filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    indented(6, connectionManager(config)),
    config.tls === undefined ? undefined : indented(2, callerTls(config.tls, config)),
  );
}

function connectionManager(config: EnvoyConfig): string {
  return stacked(
    'stat_prefix: edge',
    TRUST,
    limits(config),
    EARLY_HEADERS,
    config.tracing?.isRestarted === true ? indented(4, FOREIGN_TRACES) : undefined,
    '# Every error that Envoy makes itself, in the one shape of ours.',
    'local_reply_config:\n  mappers:',
    indented(2, localReplies(config)),
    tracing(config),
    'access_log:',
    accessLogs(config),
    'route_config:\n  name: gateway\n  virtual_hosts:',
    indented(2, asItem(virtualHost(config))),
    'http_filters:',
    httpFilters(config),
  );
}

const TRUST = `# The caller's address is that of its connection; what it says of itself in x-envoy-* and x-forwarded-* is not believed.
# internal_address_config must stay unset: as an empty block it would make loopback internal, hence trusted.
use_remote_address: true
# X-Request-ID is always ours, in the request, in the answer and in the usage event.
preserve_external_request_id: false
always_set_request_id_in_response: true
# One spelling for one path, or a scope could be passed by with //, /../ or %2F.
normalize_path: true
merge_slashes: true
path_with_escaped_slashes_action: REJECT_REQUEST`;

function limits({ maxStreamMs }: EnvoyConfig): string {
  return `max_request_headers_kb: 32
request_headers_timeout: 10s
stream_idle_timeout: 300s
common_http_protocol_options:
  max_headers_count: 100
  # x_api_key and x-api-key are one name to many servers behind us, but two to us.
  headers_with_underscores_action: REJECT_REQUEST
  idle_timeout: 300s
  # Bounds how long a stream lives on that a key opened before it was revoked.
  max_stream_duration: ${seconds(maxStreamMs)}
http2_protocol_options:
  max_concurrent_streams: 100
  initial_stream_window_size: 65536
  initial_connection_window_size: 1048576
upgrade_configs: [ { upgrade_type: websocket } ]`;
}

const EARLY_HEADERS = `# Before anything else, also on routes that need no key. The order matters: an X-Client-Request-ID means the X-Request-ID
# that the caller sent and nothing else, so its own is dropped, the copy made, and only then the original removed.
# The names of our identity are taken from every request: what the upstream gets under them comes from authz.
early_header_mutation_extensions:
- name: envoy.http.early_header_mutation.header_mutation
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation
    mutations:
    - remove: x-client-request-id
    - append:
        header: { key: x-client-request-id, value: "%REQ(x-request-id)%" }
        append_action: OVERWRITE_IF_EXISTS_OR_ADD
    - remove: x-request-id
    - remove: x-organization-id
    - remove: x-api-key-id
    - remove: x-plan-tier
    - remove_on_match: { key_matcher: { prefix: x-tollgate- } }
    # Envoy itself clears most of these, but not all: x-envoy-peer-metadata or a forged host would pass. What is true of
    # them it says anew afterwards. X-Forwarded-For stays, and gets the address of the connection at its end.
    - remove_on_match: { key_matcher: { prefix: x-envoy- } }
    - remove: x-forwarded-host
    - remove: x-forwarded-port
    - remove: x-forwarded-prefix`;

function callerTls(files: CertificateFiles, config: EnvoyConfig): string {
  return `transport_socket:
  name: envoy.transport_sockets.tls
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
    common_tls_context:
      alpn_protocols: [ h2, http/1.1 ]
      tls_params: { tls_minimum_protocol_version: TLSv1_2 }
      ${gatewayCertificate(files, config)}`;
}

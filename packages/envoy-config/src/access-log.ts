import type { EnvoyConfig } from './options.js';
import { quoted, stacked } from './yaml-text.js';

/** A kept batch goes out as one message of up to this size: the collector must accept twice as much. */
export const USAGE_BUFFER_BYTES = 4 * 1024 * 1024;

/** The usage stream, and beside it a file as a second witness where one was asked for. */
export function accessLogs(config: EnvoyConfig): string {
  return stacked(USAGE_STREAM, config.accessLogFile === undefined ? undefined : usageFile(config.accessLogFile));
}

const USAGE_STREAM = `# Usage, by gRPC: each finished request as one entry on a stream to the collector.
- name: usage-stream
  # One entry a request, at its end, and only where authz named the organization: no key, no usage.
  filter: &has_organization
    and_filter:
      filters:
      - log_type_filter: { types: [ DownstreamEnd ] }
      - metadata_filter:
          matcher: { filter: envoy.filters.http.ext_authz, path: [ { key: organization_id } ], value: { present_match: true } }
          match_if_key_not_found: false
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig
    common_config:
      log_name: usage
      transport_api_version: V3
      grpc_service: { envoy_grpc: { cluster_name: usage } }
      # The stream has no acknowledgement: what was sent to a collector that dies is lost, so little is under way at once.
      # While the collector is known to be away (its health check fails) entries are kept here, up to the buffer.
      buffer_flush_interval: 0.2s
      buffer_size_bytes: ${USAGE_BUFFER_BYTES}
    # What is billed of a gRPC call is decided by its grpc-status, a trailer, or a header where there is no body.
    # The upstream's x-usage-units is not among the headers any more: it comes as metadata (namespace tollgate, key units).
    additional_request_headers_to_log: [ content-type ]
    additional_response_headers_to_log: [ grpc-status ]
    additional_response_trailers_to_log: [ grpc-status ]`;

/** What a path must not hold where it is written to a disk: a key of ours, put there by mistake. Of the whole `:path`. */
const KEY_IN_PATH = '[^?]*(?i:sk_(live|test)_[a-z0-9]).*';

function usageFile(path: string): string {
  return `# The same entries in a file, one JSON object a line: the second witness. What the stream loses (a collector that was killed,
# Envoy's last buffer) the reconciler finds here. To rotate it, rename it, then POST /reopen_logs.
- name: usage-file
  filter:
    and_filter:
      filters:
      - *has_organization
      - header_filter:
          header: { name: ":path", string_match: { safe_regex: { regex: '${KEY_IN_PATH}' } }, invert_match: true }
${fileLogger(path, '%PATH(NQ:PATH):1024%')}
# A caller who puts a key into the path by mistake must not find it on our disk.
- name: usage-file-without-path
  filter:
    and_filter:
      filters:
      - *has_organization
      - header_filter: { header: { name: ":path", string_match: { safe_regex: { regex: '${KEY_IN_PATH}' } } } }
${fileLogger(path, '')}`;
}

/** What strangers send is cut well above what an event keeps of it, so that no line is longer than a few kilobytes. */
function fileLogger(path: string, pathFormat: string): string {
  return `  typed_config:
    "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
    path: ${quoted(path)}
    log_format:
      json_format:
        stream_id: "%STREAM_ID%"
        start_time: "%START_TIME(%s.%6f)%"
        organization_id: "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:organization_id)%"
        key_id: "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:key_id)%"
        environment: "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:environment)%"
        decision: "%DYNAMIC_METADATA(envoy.filters.http.ratelimit:decision)%"
        limit: "%DYNAMIC_METADATA(envoy.filters.http.ratelimit:limit)%"
        units: "%DYNAMIC_METADATA(tollgate:units)%"
        route: "%ROUTE_NAME%"
        method: "%REQ(:METHOD):16%"
        path: "${pathFormat}"
        protocol: "%PROTOCOL%"
        request_id: "%REQ(X-REQUEST-ID):256%"
        status_code: "%RESPONSE_CODE%"
        details: "%RESPONSE_CODE_DETAILS%"
        flags: "%RESPONSE_FLAGS%"
        first_byte_ms: "%RESPONSE_DURATION%"
        sent_ns: "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:ns)%"
        duration_ms: "%DURATION%"
        request_bytes: "%BYTES_RECEIVED%"
        response_bytes: "%BYTES_SENT%"
        content_type: "%REQ(CONTENT-TYPE):16%"
        grpc_status: "%TRAILER(GRPC-STATUS):8%"
        grpc_status_header: "%RESP(GRPC-STATUS):8%"`;
}

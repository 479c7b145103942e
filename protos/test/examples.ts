import { AccessLogType } from '@tollgate/protos/envoy/data/accesslog/v3/accesslog';
import { StreamAccessLogsMessage } from '@tollgate/protos/envoy/service/accesslog/v3/als';
import { CheckRequest, CheckResponse } from '@tollgate/protos/envoy/service/auth/v3/external_auth';
import { RateLimitRequest, RateLimitResponse } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';

export interface Codec {
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
}

/** One message twice: as we hold it, and with Envoy's names. Together the examples of a type set every field of ours. */
export interface Example {
  name: string;
  type: string;
  codec: Codec;
  ours: unknown;
  envoys: object;
}

interface CodecOf<Message> {
  encode(message: Message): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Message;
}

function example<Message>(name: string, type: string, codec: CodecOf<Message>, ours: Message, envoys: object): Example {
  return { name, type, codec: codec as Codec, ours, envoys };
}

const header = { header: { key: 'x-organization-id', value: 'org-1' }, append: false };
const envoysHeader = { header: { key: 'x-organization-id', value: 'org-1' }, append: { value: false } };
const metadata = { organization_id: 'org-1', cost: 2.5, is_test: false, none: null, nested: { list: [1, 'a', true] } };
const envoysMetadata = {
  fields: {
    organization_id: { string_value: 'org-1' },
    cost: { number_value: 2.5 },
    is_test: { bool_value: false },
    none: { null_value: 0 },
    nested: {
      struct_value: {
        fields: { list: { list_value: { values: [{ number_value: 1 }, { string_value: 'a' }, { bool_value: true }] } } },
      },
    },
  },
};
const refusal = { status: { code: 503 }, headers: [header], body: '{"error":{}}' };
const envoysRefusal = { status: { code: 503 }, headers: [envoysHeader], body: '{"error":{}}' };

const checkRequest = example(
  'a CheckRequest',
  'envoy.service.auth.v3.CheckRequest',
  CheckRequest,
  {
    attributes: { request: { http: { headers: { 'x-api-key': 'k', empty: '' } } }, contextExtensions: { scope: 'orders:read' } },
  },
  {
    attributes: { request: { http: { headers: { 'x-api-key': 'k', empty: '' } } }, context_extensions: { scope: 'orders:read' } },
  },
);

const checkResponses = [
  example(
    'an allowing CheckResponse',
    'envoy.service.auth.v3.CheckResponse',
    CheckResponse,
    {
      status: { code: 7, message: 'm' },
      httpResponse: {
        $case: 'okResponse',
        value: { headers: [header], headersToRemove: ['x-api-key'], responseHeadersToAdd: [{ ...header, append: true }] },
      },
      dynamicMetadata: metadata,
    },
    {
      status: { code: 7, message: 'm' },
      ok_response: {
        headers: [envoysHeader],
        headers_to_remove: ['x-api-key'],
        response_headers_to_add: [{ ...envoysHeader, append: { value: true } }],
      },
      dynamic_metadata: envoysMetadata,
    },
  ),
  example(
    'a denying CheckResponse',
    'envoy.service.auth.v3.CheckResponse',
    CheckResponse,
    { httpResponse: { $case: 'deniedResponse', value: refusal } },
    { denied_response: envoysRefusal },
  ),
  example(
    'a CheckResponse that cannot tell',
    'envoy.service.auth.v3.CheckResponse',
    CheckResponse,
    { httpResponse: { $case: 'errorResponse', value: refusal } },
    { error_response: envoysRefusal },
  ),
];

const rateLimitRequest = example(
  'a RateLimitRequest',
  'envoy.service.ratelimit.v3.RateLimitRequest',
  RateLimitRequest,
  {
    domain: 'tollgate',
    descriptors: [
      { entries: [{ key: 'organization_id', value: 'org-1' }], limit: { requestsPerUnit: 9, unit: 5 }, hitsAddend: 0 },
    ],
    hitsAddend: 3,
  },
  {
    domain: 'tollgate',
    descriptors: [
      {
        entries: [{ key: 'organization_id', value: 'org-1' }],
        limit: { requests_per_unit: 9, unit: 5 },
        hits_addend: { value: 0 },
      },
    ],
    hits_addend: 3,
  },
);

const rateLimitResponse = example(
  'a RateLimitResponse',
  'envoy.service.ratelimit.v3.RateLimitResponse',
  RateLimitResponse,
  {
    overallCode: 2,
    statuses: [
      {
        code: 2,
        currentLimit: { requestsPerUnit: 100, unit: 7, name: 'week' },
        limitRemaining: 4_000_000_000,
        durationUntilReset: { seconds: 7, nanos: 1 },
      },
    ],
    responseHeadersToAdd: [{ key: 'Retry-After', value: '7' }],
    requestHeadersToAdd: [{ key: 'x-limited', value: '1' }],
    rawBody: Buffer.from('{}'),
    dynamicMetadata: metadata,
  },
  {
    overall_code: 2,
    statuses: [
      {
        code: 2,
        current_limit: { requests_per_unit: 100, unit: 7, name: 'week' },
        limit_remaining: 4_000_000_000,
        duration_until_reset: { seconds: 7, nanos: 1 },
      },
    ],
    response_headers_to_add: [{ key: 'Retry-After', value: '7' }],
    request_headers_to_add: [{ key: 'x-limited', value: '1' }],
    raw_body: Buffer.from('{}'),
    dynamic_metadata: envoysMetadata,
  },
);

const accessLog = example(
  'a StreamAccessLogsMessage',
  'envoy.service.accesslog.v3.StreamAccessLogsMessage',
  StreamAccessLogsMessage,
  {
    identifier: { node: { id: 'edge-1' }, logName: 'usage' },
    logEntries: {
      $case: 'httpLogs',
      value: {
        logEntry: [
          {
            commonProperties: {
              startTime: { seconds: 1_795_427_988, nanos: 123_456_000 },
              timeToFirstUpstreamRxByte: { seconds: 0, nanos: 12_000_000 },
              timeToLastDownstreamTxByte: { seconds: 1, nanos: 2 },
              upstreamCluster: 'upstream',
              responseFlags: {
                noHealthyUpstream: true,
                upstreamRequestTimeout: true,
                localReset: true,
                upstreamRemoteReset: true,
                upstreamConnectionFailure: true,
                upstreamConnectionTermination: true,
                upstreamOverflow: true,
                noRouteFound: true,
                rateLimited: true,
                unauthorizedDetails: { reason: 1 },
                rateLimitServiceError: true,
                downstreamConnectionTermination: true,
                upstreamRetryLimitExceeded: true,
                streamIdleTimeout: true,
                upstreamMaxStreamDurationReached: true,
                durationTimeout: true,
                upstreamProtocolError: true,
                downstreamRemoteReset: true,
              },
              metadata: { filterMetadata: { 'envoy.filters.http.ext_authz': metadata } },
              routeName: 'orders',
              duration: { seconds: 1, nanos: 3 },
              streamId: 'id-1',
              downstreamWireBytesSent: 5_000_000_000,
              downstreamWireBytesReceived: 6_000_000_000,
              accessLogType: AccessLogType.DownstreamEnd,
            },
            request: {
              requestMethod: 9,
              path: '/v1/orders?a=b',
              requestId: 'id-1',
              requestBodyBytes: 7,
              requestHeaders: { a: 'b' },
            },
            response: {
              responseCode: 200,
              responseBodyBytes: 8,
              responseHeaders: { c: 'd' },
              responseTrailers: { 'grpc-status': '0' },
              responseCodeDetails: 'via_upstream',
            },
          },
        ],
      },
    },
  },
  {
    identifier: { node: { id: 'edge-1' }, log_name: 'usage' },
    http_logs: {
      log_entry: [
        {
          common_properties: {
            start_time: { seconds: 1_795_427_988, nanos: 123_456_000 },
            time_to_first_upstream_rx_byte: { seconds: 0, nanos: 12_000_000 },
            time_to_last_downstream_tx_byte: { seconds: 1, nanos: 2 },
            upstream_cluster: 'upstream',
            response_flags: {
              no_healthy_upstream: true,
              upstream_request_timeout: true,
              local_reset: true,
              upstream_remote_reset: true,
              upstream_connection_failure: true,
              upstream_connection_termination: true,
              upstream_overflow: true,
              no_route_found: true,
              rate_limited: true,
              unauthorized_details: { reason: 1 },
              rate_limit_service_error: true,
              downstream_connection_termination: true,
              upstream_retry_limit_exceeded: true,
              stream_idle_timeout: true,
              upstream_max_stream_duration_reached: true,
              duration_timeout: true,
              upstream_protocol_error: true,
              downstream_remote_reset: true,
            },
            metadata: { filter_metadata: { 'envoy.filters.http.ext_authz': envoysMetadata } },
            route_name: 'orders',
            duration: { seconds: 1, nanos: 3 },
            stream_id: 'id-1',
            downstream_wire_bytes_sent: 5_000_000_000,
            downstream_wire_bytes_received: 6_000_000_000,
            access_log_type: 6,
          },
          request: {
            request_method: 9,
            path: '/v1/orders?a=b',
            request_id: 'id-1',
            request_body_bytes: 7,
            request_headers: { a: 'b' },
          },
          response: {
            response_code: { value: 200 },
            response_body_bytes: 8,
            response_headers: { c: 'd' },
            response_trailers: { 'grpc-status': '0' },
            response_code_details: 'via_upstream',
          },
        },
      ],
    },
  },
);

export const EXAMPLES: readonly Example[] = [checkRequest, ...checkResponses, rateLimitRequest, rateLimitResponse, accessLog];

/** By full type name, each message that is sent between Envoy and us. */
export const CODECS: ReadonlyMap<string, Codec> = new Map(EXAMPLES.map(({ type, codec }) => [type, codec]));

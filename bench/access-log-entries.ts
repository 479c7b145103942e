/** Messages of Envoy's access log with all that Envoy writes into an entry, of which the collector needs a part. */
import { randomUUID } from 'node:crypto';
import { encodeWith, envoyDescriptors } from '@tollgate/testing/envoy-protos';
import { ORGANIZATIONS } from './made-events.js';

const NODE_ID = 'bench';
const DOWNSTREAM_END = 6;
const API_KEY_ID = '0f8fad5b-d9cb-469f-a165-70867728950e';
const text = (value: string) => ({ string_value: value });
const address = (port: number) => ({ socket_address: { address: '10.20.30.40', port_value: port } });
const afterMs = (ms: number) => ({ seconds: 0, nanos: ms * 1_000_000 + 345_000 });

/** Returns a maker of encoded messages of so many new entries each; every one of them names the node, as the first must. */
export function entryMaker(envoyPath: string): (entries: number) => Buffer {
  const type = envoyDescriptors(envoyPath).lookupType('envoy.service.accesslog.v3.StreamAccessLogsMessage');
  let made = 0;
  return (entries) =>
    encodeWith(type, {
      identifier: { node: { id: NODE_ID }, log_name: 'usage' },
      http_logs: { log_entry: Array.from({ length: entries }, () => anEntry(made++)) },
    });
}

function anEntry(number: number): object {
  const streamId = randomUUID();
  return {
    common_properties: {
      ...ofTheConnection(),
      start_time: { seconds: Math.floor(Date.now() / 1000), nanos: (number % 1_000_000) * 1000 },
      time_to_last_rx_byte: afterMs(0),
      time_to_first_upstream_tx_byte: afterMs(2),
      time_to_last_upstream_tx_byte: afterMs(2),
      time_to_first_upstream_rx_byte: afterMs(11),
      time_to_last_upstream_rx_byte: afterMs(12),
      time_to_first_downstream_tx_byte: afterMs(11),
      time_to_last_downstream_tx_byte: afterMs(12),
      duration: afterMs(12),
      response_flags: {},
      metadata: metadata(ORGANIZATIONS[number % ORGANIZATIONS.length] ?? ''),
      route_name: 'orders',
      stream_id: streamId,
      upstream_request_attempt_count: 1,
      upstream_wire_bytes_sent: 412,
      upstream_wire_bytes_received: 2301,
      downstream_wire_bytes_sent: 2455,
      downstream_wire_bytes_received: 388,
      access_log_type: DOWNSTREAM_END,
    },
    protocol_version: 2,
    request: {
      request_method: 1,
      scheme: 'https',
      authority: 'api.example.com',
      path: `/v1/orders/${number % 1000}?expand=lines`,
      user_agent: 'example-client/3.2 (linux)',
      request_id: streamId,
      request_headers_bytes: 312,
      request_body_bytes: 0,
    },
    response: {
      response_code: { value: 200 },
      response_headers_bytes: 220,
      response_body_bytes: 2048,
      response_code_details: 'via_upstream',
    },
  };
}

function ofTheConnection(): object {
  return {
    downstream_remote_address: address(51_234),
    downstream_direct_remote_address: address(51_234),
    downstream_local_address: address(8080),
    upstream_remote_address: address(3000),
    upstream_local_address: address(40_112),
    upstream_cluster: 'upstream',
  };
}

function metadata(organizationId: string): object {
  const identity = { organization_id: organizationId, key_id: API_KEY_ID, plan: 'premium', environment: 'live' };
  const fieldsOf = (values: Record<string, string>) => ({
    fields: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, text(value)])),
  });
  return {
    filter_metadata: {
      'envoy.filters.http.ext_authz': fieldsOf(identity),
      'envoy.filters.http.ratelimit': fieldsOf({ decision: 'allowed' }),
    },
  };
}

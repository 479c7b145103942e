/**
 * Requests as an Envoy tells of them when they have ended, made from a seed, and what must be stored of each. The rules are
 * written down here once more, in other words than the product's: a test that asked the product would agree with any mistake.
 */
import { createHash } from 'node:crypto';
import type { HTTPAccessLogEntry } from '@tollgate/protos/envoy/data/accesslog/v3/accesslog';
import type { Random } from '../../test/fuzz/random.js';
import { anEntry } from '../../usage-processor/test/collector/an-entry.js';

export interface EndedCall {
  streamId: string;
  startMicros: bigint;
  organizationId: string;
  keyId: string;
  environment: 'live' | 'test';
  status: number;
  /** False where the gateway answered by itself. */
  isAnswered: boolean;
  units: number;
  requestBytes: number;
  responseBytes: number;
}

export interface ExpectedEvent {
  eventId: string;
  organizationId: string;
  startMicros: bigint;
  isBillable: boolean;
  units: number;
  bytes: number;
}

const HOUR_MICROS = 3_600_000_000n;
/** How late an event is told: hardly, an hour, three days, thirty-five days. */
const LATE_MICROS = [0n, 0n, 0n, 0n, 0n, 0n, HOUR_MICROS, 72n * HOUR_MICROS, 840n * HOUR_MICROS];
const STATUSES = [200, 200, 200, 200, 201, 204, 301, 304, 400, 404, 429, 500, 503];

export function anEndedCall(random: Random, number: number, organizations: readonly string[], nowMs: number): EndedCall {
  const status = random.pick(STATUSES);
  const isAnswered = random.chance(0.9);
  return {
    streamId: `${random.bytes(8).toString('hex')}-${number}`,
    startMicros: BigInt(nowMs) * 1000n - random.pick(LATE_MICROS) - BigInt(random.below(1_000_000)),
    organizationId: random.pick(organizations),
    keyId: '018f3a2e-0000-7000-8000-000000000002',
    environment: random.chance(0.05) ? 'test' : 'live',
    status,
    isAnswered,
    units: isAnswered && random.chance(0.2) ? random.below(1000) : 1,
    requestBytes: random.below(10_000),
    responseBytes: random.below(100_000),
  };
}

export function entryOf(call: EndedCall): HTTPAccessLogEntry {
  const entry = anEntry({ streamId: call.streamId, status: call.status, answered: call.isAnswered, metadata: metadataOf(call) });
  const { commonProperties: common, request, response } = entry;
  if (common === undefined || request === undefined || response === undefined) throw new Error('an entry lacks a part');
  common.startTime = { seconds: Number(call.startMicros / 1_000_000n), nanos: Number(call.startMicros % 1_000_000n) * 1000 };
  request.requestBodyBytes = call.requestBytes;
  response.responseBodyBytes = call.responseBytes;
  return entry;
}

export function expectedOf(call: EndedCall, nodeId: string): ExpectedEvent {
  const isCharged = (call.status >= 200 && call.status < 300) || (call.status >= 400 && call.status < 500);
  const name = JSON.stringify([nodeId, call.streamId, `${call.startMicros}`]);
  return {
    eventId: createHash('sha256').update(name).digest().subarray(0, 16).toString('hex'),
    organizationId: call.organizationId,
    startMicros: call.startMicros,
    isBillable: call.isAnswered && isCharged && call.environment === 'live',
    units: call.units,
    bytes: call.requestBytes + call.responseBytes,
  };
}

function metadataOf({ organizationId, keyId, environment, units }: EndedCall): Record<string, Record<string, unknown>> {
  return {
    'envoy.filters.http.ext_authz': { organization_id: organizationId, key_id: keyId, plan: 'basic', environment },
    'envoy.filters.http.ratelimit': { decision: 'allowed' },
    ...(units === 1 ? {} : { tollgate: { units: String(units) } }),
  };
}

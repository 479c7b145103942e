import type { Environment } from '@tollgate/domain/api-key';
import { type Answer, isBillable, originOf } from '@tollgate/domain/billable';
import { eventId, isoMicros, type LimitWindow, MAX_UNITS, type UsageEvent } from '@tollgate/domain/usage-event';
import { isUuid } from '@tollgate/domain/uuid';

/** What a gateway tells of a request when its stream has ended, freed of the protocol that it was told in. */
export interface EndedRequest {
  nodeId: string;
  /** Empty where the gateway named none. */
  streamId: string;
  /** When the request began, microseconds since 1970; undefined where it was not told. */
  startMicros: bigint | undefined;
  /** By namespace: what the gateway's filters noted. */
  metadata: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;
  method: string;
  /** As the caller sent it, with the query. */
  path: string;
  route: string;
  requestId: string;
  /** 0 where no status was ever sent. */
  statusCode: number;
  /** The answer's first byte arrived from the upstream. */
  upstreamAnswered: boolean;
  cutByUpstream: boolean;
  /** Of a gRPC call: its grpc-status, or undefined where none arrived. */
  grpcStatus: number | undefined;
  responseTimeMs: number;
  requestBytes: number;
  responseBytes: number;
}

export interface UsageEventSettings {
  /** What is kept of the path: the path and the route's name, the name alone, or neither. */
  path: 'full' | 'route' | 'off';
  /** Where the identity may stand, the first that holds one wins. */
  identityNamespaces: readonly string[];
}

export type RefusalReason = 'no-stream-id' | 'no-start-time' | 'bad-identity';

export type UsageOutcome =
  /** `hasBadUnits`: the upstream's number of units was none, so one was counted. `isUnlimited`: no limiter saw the request. */
  | { kind: 'event'; event: UsageEvent; hasBadUnits: boolean; isUnlimited: boolean }
  | { kind: 'not-usage'; reason: 'no-organization' }
  | { kind: 'refused'; reason: RefusalReason };

export const AUTHZ_NAMESPACE = 'envoy.filters.http.ext_authz';
export const LIMITER_NAMESPACE = 'envoy.filters.http.ratelimit';
export const UNITS_NAMESPACE = 'tollgate';
const MAX_PATH_BYTES = 512;
const MAX_NAME_BYTES = 256;
const MAX_METHOD_BYTES = 64;
/** Nearly every text here, and a byte a character. */
const PRINTABLE_ASCII = /^[ -~]*$/;
const MAX_STATUS = 999;
const MAX_DURATION_MS = 1e12;
/** The first microsecond whose year has five digits. */
const YEAR_10000_MICROS = 253_402_300_800_000_000n;

/**
 * The usage event of a request, made once and here: every field is final. Never throws, and what it returns is an event
 * that the writer's `parseUsageEvent` takes, unless its time is too far away.
 */
export function usageEventFrom(request: EndedRequest, settings: UsageEventSettings): UsageOutcome {
  const identity = identityOf(request, settings.identityNamespaces);
  if (identity.kind === 'none') return { kind: 'not-usage', reason: 'no-organization' };
  if (identity.kind === 'bad') return { kind: 'refused', reason: 'bad-identity' };
  if (request.streamId === '') return { kind: 'refused', reason: 'no-stream-id' };
  const { startMicros } = request;
  // Time is part of the row's key and of the period that is billed: an event without it is none.
  if (startMicros === undefined || startMicros < 0n || startMicros >= YEAR_10000_MICROS) {
    return { kind: 'refused', reason: 'no-start-time' };
  }
  const units = unitsOf(request);
  const { upstreamAnswered, cutByUpstream, statusCode, grpcStatus } = request;
  const answer: Answer = { environment: identity.environment, upstreamAnswered, cutByUpstream, statusCode, grpcStatus };
  const event: UsageEvent = {
    v: 1,
    event_id: eventId(request.nodeId, request.streamId, startMicros),
    time: isoMicros(startMicros),
    request_id: cutToBytes(request.requestId || request.streamId, MAX_NAME_BYTES),
    organization_id: identity.organizationId,
    api_key_id: identity.keyId,
    environment: identity.environment,
    method: cutToBytes(request.method, MAX_METHOD_BYTES),
    path: settings.path === 'full' ? cutToBytes(keylessPath(request.path), MAX_PATH_BYTES) : '',
    route: settings.path === 'off' ? '' : cutToBytes(request.route, MAX_NAME_BYTES),
    status_code: whole(request.statusCode, MAX_STATUS),
    response_time_ms: Math.min(Math.max(request.responseTimeMs || 0, 0), MAX_DURATION_MS),
    request_bytes: whole(request.requestBytes, Number.MAX_SAFE_INTEGER),
    response_bytes: whole(request.responseBytes, Number.MAX_SAFE_INTEGER),
    billable: isBillable(answer),
    units: units ?? 1,
    origin: originOf(answer),
    node_id: cutToBytes(request.nodeId, MAX_NAME_BYTES),
  };
  const shadowLimit = shadowLimitOf(request);
  if (shadowLimit !== undefined) event.shadow_limited = shadowLimit;
  const isUnlimited = request.metadata[LIMITER_NAMESPACE]?.['decision'] === undefined;
  return { kind: 'event', event, hasBadUnits: units === undefined, isUnlimited };
}

type Identity =
  | { kind: 'known'; organizationId: string; keyId: string; environment: Environment }
  | { kind: 'none' }
  | { kind: 'bad' };

function identityOf({ metadata }: EndedRequest, namespaces: readonly string[]): Identity {
  const found = namespaces.map((namespace) => metadata[namespace]).find((fields) => fields?.['organization_id'] !== undefined);
  if (found === undefined) return { kind: 'none' };
  const { organization_id: organizationId, key_id: keyId, environment } = found;
  if (typeof organizationId !== 'string' || !isUuid(organizationId)) return { kind: 'bad' };
  if (typeof keyId !== 'string' || !isUuid(keyId)) return { kind: 'bad' };
  if (environment !== 'live' && environment !== 'test') return { kind: 'bad' };
  return { kind: 'known', organizationId, keyId, environment };
}

/** The limiter let the request pass only because the limit that it exceeded is in shadow mode. */
function shadowLimitOf({ metadata }: EndedRequest): LimitWindow | undefined {
  const { decision, limit } = metadata[LIMITER_NAMESPACE] ?? {};
  return decision === 'shadow' && (limit === 'minute' || limit === 'day' || limit === 'month') ? limit : undefined;
}

/** What the upstream said that the request was worth, 1 where it said nothing, undefined where it said nonsense. */
function unitsOf({ metadata, upstreamAnswered }: EndedRequest): number | undefined {
  const said = metadata[UNITS_NAMESPACE]?.['units'];
  if (said === undefined || !upstreamAnswered) return 1;
  if (typeof said !== 'string' || !/^\d{1,7}$/.test(said)) return undefined;
  const units = Number(said);
  return units <= MAX_UNITS ? units : undefined;
}

/**
 * Without the query, and empty where a caller put a key into it by mistake: it must not be found in our tables. Not masked
 * but left out, since that is all that Envoy can do for its file log, and both must make the same event.
 */
function keylessPath(path: string): string {
  const plain = withoutQuery(path);
  return /sk_(live|test)_[a-z0-9]/i.test(plain) ? '' : plain;
}

function withoutQuery(path: string): string {
  const end = path.search(/[?#]/);
  return end === -1 ? path : path.slice(0, end);
}

/** At most `maxBytes` of UTF-8 and no half character; free of what PostgreSQL's text cannot hold. */
function cutToBytes(text: string, maxBytes: number): string {
  if (text.length <= maxBytes && PRINTABLE_ASCII.test(text)) return text;
  // No character takes less than a byte, so that a text of megabytes is not encoded to keep its beginning.
  const storable = text.slice(0, maxBytes).replaceAll('\0', '\uFFFD').toWellFormed();
  if (Buffer.byteLength(storable) <= maxBytes) return storable;
  let bytes = 0;
  let end = 0;
  for (const character of storable) {
    bytes += utf8Bytes(character);
    if (bytes > maxBytes) break;
    end += character.length;
  }
  return storable.slice(0, end);
}

function utf8Bytes(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  return code < 0x10000 ? 3 : 4;
}

function whole(value: number, max: number): number {
  return Number.isFinite(value) ? Math.min(Math.max(Math.trunc(value), 0), max) : 0;
}

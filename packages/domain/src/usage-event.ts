import { hash } from 'node:crypto';
import type { Environment } from './api-key.js';
import type { Origin } from './billable.js';
import { DAY_MS } from './period.js';
import { isUuid } from './uuid.js';

/** One request that counts, exactly as it travels through the event log (JSON, version 1). */
export interface UsageEvent {
  v: 1;
  /** 16 bytes in hex: see {@link eventId}. */
  event_id: string;
  /** When Envoy began to read the request: ISO 8601 in UTC with microseconds. */
  time: string;
  request_id: string;
  organization_id: string;
  api_key_id: string;
  environment: Environment;
  method: string;
  /** Without the query, cut to 512 bytes by the collector; empty where the setting USAGE_PATH leaves it out. */
  path: string;
  route: string;
  /** 0 where no status was ever sent. */
  status_code: number;
  response_time_ms: number;
  request_bytes: number;
  response_bytes: number;
  billable: boolean;
  units: number;
  origin: Origin;
  /** The Envoy node that served it, by which arrivals are compared with that node's own log; older events lack it. */
  node_id?: string;
  /** The window whose limit would have denied the request, had that limit not been in shadow mode. */
  shadow_limited?: LimitWindow;
}

export type LimitWindow = 'minute' | 'day' | 'month';

export type ParsedUsageEvent = { kind: 'event'; event: UsageEvent } | { kind: 'rejected'; reason: string };

export const MAX_UNITS = 1_000_000;
/** Events are accepted from one day less than raw rows are kept, so that none is inserted only to be dropped. */
export const MAX_AGE_MS = 89 * DAY_MS;
export const MAX_AHEAD_MS = 5 * 60_000;

/**
 * The event's id: 16 bytes of SHA-256 over the Envoy node, its stream id and the start time in microseconds.
 * All three come from Envoy, so that the same entry, seen twice, is the same event.
 */
export function eventId(nodeId: string, streamId: string, startMicros: bigint): string {
  const source = JSON.stringify([nodeId, streamId, startMicros.toString()]);
  return hash('sha256', source, 'hex').slice(0, 32);
}

/** Microseconds since 1970 as ISO 8601 in UTC with six digits: `2026-11-23T09:59:48.123456Z`. */
export function isoMicros(micros: bigint): string {
  const seconds = Number(micros / 1_000_000n);
  if (seconds !== last.seconds) last = { seconds, text: new Date(seconds * 1000).toISOString().slice(0, -'000Z'.length) };
  return `${last.text}${String(micros % 1_000_000n).padStart(6, '0')}Z`;
}

/** Requests of one second follow each other, and making a date's text takes longer than all the rest. */
let last = { seconds: 0, text: '1970-01-01T00:00:00.' };

/**
 * Reads one value of the event log. What is rejected names the field and never holds its value, which comes from
 * strangers. `nowMs` decides what is too old or too far ahead.
 */
export function parseUsageEvent(text: string, nowMs: number): ParsedUsageEvent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'rejected', reason: 'not JSON' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { kind: 'rejected', reason: 'not a JSON object' };
  const record = value as Record<string, unknown>;
  if (record['v'] !== 1) return { kind: 'rejected', reason: 'unknown version (v)' };
  for (const [field, isValid] of CHECKS) {
    if (!isValid(record[field])) return { kind: 'rejected', reason: `invalid ${field}` };
  }
  for (const [field, isValid] of OPTIONAL_CHECKS) {
    if (field in record && !isValid(record[field])) return { kind: 'rejected', reason: `invalid ${field}` };
  }
  const event = record as unknown as UsageEvent;
  const timeMs = Date.parse(event.time);
  if (timeMs < nowMs - MAX_AGE_MS) return { kind: 'rejected', reason: 'too old (time)' };
  if (timeMs > nowMs + MAX_AHEAD_MS) return { kind: 'rejected', reason: 'too far ahead (time)' };
  return { kind: 'event', event };
}

type Check = (value: unknown) => boolean;

const ISO_MICROS = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z$/;

/** PostgreSQL's text cannot hold NUL, and half a surrogate pair is no UTF-8. */
const isText =
  (maxLength: number): Check =>
  (value) =>
    typeof value === 'string' && value.length <= maxLength && !value.includes('\0') && value.isWellFormed();
const isWhole =
  (max: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
const isId: Check = (value) => typeof value === 'string' && isUuid(value);
const isOneOf =
  (...words: string[]): Check =>
  (value) =>
    typeof value === 'string' && words.includes(value);
const isTime: Check = (value) => {
  if (typeof value !== 'string' || !ISO_MICROS.test(value)) return false;
  // Every month has these days; Date.parse takes the 31st of February for a day in March.
  if (value.slice(8, 10) <= '28') return true;
  const timeMs = Date.parse(value);
  return !Number.isNaN(timeMs) && new Date(timeMs).toISOString().slice(0, 10) === value.slice(0, 10);
};
const isDuration: Check = (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0 && value <= 1e12;

const OPTIONAL_FIELDS: Record<'node_id' | 'shadow_limited', Check> = {
  node_id: isText(256),
  shadow_limited: isOneOf('minute', 'day', 'month'),
};

const FIELDS: Record<Exclude<keyof UsageEvent, 'v' | keyof typeof OPTIONAL_FIELDS>, Check> = {
  event_id: (value) => typeof value === 'string' && /^[0-9a-f]{32}$/.test(value),
  time: isTime,
  request_id: isText(256),
  organization_id: isId,
  api_key_id: isId,
  environment: isOneOf('live', 'test'),
  method: isText(64),
  path: isText(512),
  route: isText(256),
  status_code: isWhole(999),
  response_time_ms: isDuration,
  request_bytes: isWhole(Number.MAX_SAFE_INTEGER),
  response_bytes: isWhole(Number.MAX_SAFE_INTEGER),
  billable: (value) => typeof value === 'boolean',
  units: isWhole(MAX_UNITS),
  origin: isOneOf('upstream', 'gateway'),
};

/** Made once, as every event is held against them. */
const CHECKS = Object.entries(FIELDS);
const OPTIONAL_CHECKS = Object.entries(OPTIONAL_FIELDS);

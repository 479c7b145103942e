import { isoMicros } from '@tollgate/domain/usage-event';

const DAY_MS = 86_400_000;

/** A good event as bytes, but for these fields. */
export type MakeEvent = (parts?: object) => Buffer;

type Make = (event: MakeEvent, nowMs: number) => Buffer;

const at = (ms: number, micros = 0n): string => isoMicros(BigInt(ms) * 1000n + micros);

/** Each is a value that some producer could send, and none is a usage event. */
const NO_EVENTS: Record<string, Make> = {
  'not UTF-8': () => Buffer.from([0xff, 0xfe, 0x00]),
  'nothing at all': () => Buffer.alloc(0),
  'half of an event': (event) => event().subarray(0, 100),
  'JSON, but no object': () => Buffer.from('[1]'),
  'deeply nested': () => Buffer.from('['.repeat(60_000)),
  'longer than any event': (event) => event({ path: 'x'.repeat(70_000) }),
  'another version': (event) => event({ v: 2 }),
  'no version': (event) => event({ v: undefined }),
  'no organization': (event) => event({ organization_id: undefined }),
  'an organization that is no UUID': (event) => event({ organization_id: 'acme' }),
  'an organization with SQL in it': (event) => event({ organization_id: "'; DROP TABLE usage_events; --" }),
  'negative units': (event) => event({ units: -1 }),
  'absurd units': (event) => event({ units: 1e15 }),
  'broken units': (event) => event({ units: 1.5 }),
  'units as text': (event) => event({ units: '1' }),
  'units that are no number': (event) => event({ units: Number.NaN }),
  'absurd bytes': (event) =>
    Buffer.from(event({ response_bytes: 0 }).toString().replace('"response_bytes":0', '"response_bytes":1e400')),
  'a negative duration': (event) => event({ response_time_ms: -0.1 }),
  'an unknown status': (event) => event({ status_code: 70_000 }),
  '90 days old': (event, nowMs) => event({ time: at(nowMs - 90 * DAY_MS, -1n) }),
  // So far that it still is when a long run comes to it.
  'a day ahead': (event, nowMs) => event({ time: at(nowMs + DAY_MS) }),
  'of the year 9999': (event) => event({ time: '9999-12-31T23:59:59.999999Z' }),
  'a day that is none': (event) => event({ time: '2026-02-30T00:00:00.000000Z' }),
  'a time without a zone': (event, nowMs) => event({ time: at(nowMs).slice(0, -1) }),
  'half a surrogate pair': (event) => Buffer.from(event({ path: 'X' }).toString().replace('"X"', '"\\ud800"')),
  'NUL in a text': (event) => event({ route: 'a\0b' }),
  'an event id of another kind': (event) => event({ event_id: 'ABC' }),
};

/** What whoever runs the database may add to it, and what is refused then. The writer cannot know of it before. */
export const RULES_OF_THE_DATABASE: readonly string[] = [
  "ALTER TABLE usage_events ADD CONSTRAINT no_forbidden CHECK (route <> 'forbidden')",
  'ALTER TABLE usage_events ADD CONSTRAINT by_status CHECK (response_bytes / status_code >= 0)',
  'CREATE INDEX usage_events_path_idx ON usage_events (path, route, request_id)',
];

/** Characters of three bytes each that do not compress: in all texts together more than an entry of a B-tree holds, 2,704 bytes. */
const wide = (length: number): string =>
  Array.from({ length }, (_, i) => String.fromCharCode(0x4e00 + ((i * 40_503) % 0x5000))).join('');

/** With {@link RULES_OF_THE_DATABASE}. */
export const REFUSED_BY_THE_DATABASE: Record<string, Make> = {
  'refused by a rule that only the database knows': (event) => event({ route: 'forbidden' }),
  'a status that a rule of the database divides by': (event) => event({ status_code: 0 }),
  'too long for an index of the database': (event) => event({ path: wide(512), route: wide(256), request_id: wide(256) }),
};

/** By what they are; all fit into a message of Kafka. */
export const POISON_KINDS: Record<string, Make> = { ...NO_EVENTS, ...REFUSED_BY_THE_DATABASE };

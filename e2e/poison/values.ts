/** What stands in the topic: usage events, and among them values that are none, of every kind. All of it from a seed. */
import { createHash } from 'node:crypto';
import { isoMicros, type UsageEvent } from '@tollgate/domain/usage-event';
import { type Random, randomOf } from '../../test/fuzz/random.js';
import { POISON_KINDS, REFUSED_BY_THE_DATABASE } from '../../usage-processor/test/writer/poison-kinds.js';

export interface Value {
  /** Of the message: an organization, or null for any partition. */
  key: string | null;
  bytes: Buffer;
  /** What must be stored; undefined for poison. */
  event?: UsageEvent;
}

export interface ValuesOptions {
  seed: number;
  /** All of them, poison and not. */
  values: number;
  poison: number;
  nowMs: number;
}

/** So much of the poison stands together in one partition, and only the database refuses it: the worst that a batch can hold. */
const TOGETHER = 0.25;
const ORGANIZATIONS = 40;
const DAY_SECONDS = 86_400;
/** Texts that COPY, arrays, JSON or SQL could read as something else are no poison. */
const TEXTS = ['/v1/orders', '\\N', '\\.', '"', "'; --", '{NULL}', '\t\n\r', '\u{10FFFF}', '\\u0000', ''];

const KINDS = Object.values(POISON_KINDS);
const REFUSED = Object.values(REFUSED_BY_THE_DATABASE);

export function* valuesOf({ seed, values, poison, nowMs }: ValuesOptions): Generator<Value> {
  const random = randomOf(seed, 0);
  const organizations = Array.from({ length: ORGANIZATIONS }, () => uuidOf(random.bytes(16)));
  const [first = ''] = organizations;
  const together = Math.floor(poison * TOGETHER);
  const togetherAt = Math.floor((values - together) / 2);
  let [poisonLeft, placesLeft] = [poison - together, values - together];
  for (let number = 0; number < values; number++) {
    const event = anEvent({ seed, number, random, organizations, nowMs });
    const isTogether = number >= togetherAt && number < togetherAt + together;
    const isPoison = isTogether || random.chance(poisonLeft / placesLeft);
    if (!isTogether) placesLeft--;
    if (!isPoison) {
      yield { key: event.organization_id, bytes: bytesOf(event), event };
      continue;
    }
    const make = isTogether ? random.pick(REFUSED) : (KINDS[poisonLeft-- % KINDS.length] as (typeof KINDS)[number]);
    const base = isTogether ? { ...event, organization_id: first } : event;
    yield { key: isTogether ? first : null, bytes: make((parts = {}) => bytesOf({ ...base, ...parts }), nowMs) };
  }
}

interface Place {
  seed: number;
  number: number;
  random: Random;
  organizations: readonly string[];
  nowMs: number;
}

function anEvent({ seed, number, random, organizations, nowMs }: Place): UsageEvent {
  const agoMicros = BigInt(random.below(DAY_SECONDS)) * 1_000_000n + BigInt(random.below(1_000_000));
  return {
    v: 1,
    event_id: createHash('sha256').update(`${seed} ${number}`).digest('hex').slice(0, 32),
    time: isoMicros(BigInt(nowMs) * 1000n - agoMicros),
    request_id: `${number}`,
    organization_id: random.pick(organizations),
    api_key_id: '018f3a2e-0000-7000-8000-000000000002',
    environment: 'live',
    method: 'GET',
    path: random.pick(TEXTS),
    route: random.pick(TEXTS),
    status_code: random.pick([200, 201, 404, 429, 500]),
    response_time_ms: random.below(10_000) / 10,
    request_bytes: random.below(10_000),
    response_bytes: random.below(100_000),
    billable: random.chance(0.8),
    units: random.below(1000),
    origin: 'upstream',
  };
}

function bytesOf(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function uuidOf(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

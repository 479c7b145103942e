import type { UsageEvent } from '@tollgate/domain/usage-event';
import { isoMicros } from '@tollgate/domain/usage-event';
import type { Database } from '@tollgate/postgres/database';
import { type StoredUsage, storeUsage } from '@tollgate/postgres/usage-store';
import { anEvent } from '../open-fresh.js';

export const ORGANIZATION = anEvent().organization_id;
export const OTHER_ORGANIZATION = '33333333-3333-4333-8333-333333333333';
export const HOUR_MICROS = 3_600_000_000n;
export const DAY_MICROS = 24n * HOUR_MICROS;

export type StoreLedger = typeof storeUsage;

let logs = 0;

/** Stores the events as the whole of a log of their own. */
export function storeAll(db: Database, events: readonly UsageEvent[], store: StoreLedger = storeUsage): Promise<StoredUsage> {
  const place = { group: 'writer', logId: `log-${++logs}`, topic: 'usage-events', partition: 0 };
  const sources = events.map((event, at) => ({ offset: BigInt(at), value: Buffer.from(JSON.stringify(event)) }));
  return store(db, { ...place, startOffset: 0n, nextOffset: BigInt(events.length), events, sources, deadLetters: [] });
}

/** The first microsecond of the current hour: times are counted from it, as raw events do not stay for ever. */
export function thisHour(): bigint {
  const micros = BigInt(Date.now()) * 1000n;
  return micros - (micros % HOUR_MICROS);
}

export function at(micros: bigint, parts: Partial<UsageEvent> = {}): UsageEvent {
  return anEvent({ time: isoMicros(micros), ...parts });
}

export function microsOf({ time }: Pick<UsageEvent, 'time'>): bigint {
  return BigInt(Date.parse(time)) * 1000n + BigInt(time.slice(23, 26));
}

export interface Sums {
  requests: number;
  billable_requests: number;
  billable_units: number;
  request_bytes: number;
  response_bytes: number;
  sum_response_time_ms: number;
  max_response_time_ms: number;
}

/** The oracle: what these events add up to, by nothing but counting. */
export function sumsOf(events: readonly UsageEvent[]): Sums {
  const sums = { requests: 0, billable_requests: 0, billable_units: 0, request_bytes: 0, response_bytes: 0 };
  const times = { sum_response_time_ms: 0, max_response_time_ms: 0 };
  for (const event of events) {
    sums.requests++;
    if (event.billable) {
      sums.billable_requests++;
      sums.billable_units += event.units;
    }
    sums.request_bytes += event.request_bytes;
    sums.response_bytes += event.response_bytes;
    times.sum_response_time_ms += event.response_time_ms;
    times.max_response_time_ms = Math.max(times.max_response_time_ms, event.response_time_ms);
  }
  return { ...sums, ...times };
}

const SUM_NAMES = Object.keys(sumsOf([])).join(', ');

/** A row of sums as numbers, whatever the driver made of them. */
export function numbersOf(row: object | undefined): Record<string, number> {
  return Object.fromEntries(Object.keys(sumsOf([])).map((name) => [name, Number((row as Record<string, unknown>)[name])]));
}

export async function usedIn(
  db: Database,
  from: bigint,
  to: bigint,
  organization = ORGANIZATION,
): Promise<Record<string, number>> {
  const range = [organization, isoMicros(from), isoMicros(to)];
  const rows = await db.query(`SELECT ${SUM_NAMES} FROM usage_in_period($1, $2, $3)`, range);
  return numbersOf(rows[0]);
}

/** Beginning and requests of each period of an aggregate, in their order. */
export async function periodsOf(db: Database, view: 'hourly' | 'daily' | 'monthly'): Promise<[string, number][]> {
  const period = { hourly: 'hour', daily: 'day', monthly: 'month' }[view];
  const rows = await db.query<{ period: Date; requests: number }>(
    `SELECT ${period} AS period, sum(requests)::int AS requests FROM usage_${view} GROUP BY 1 ORDER BY 1`,
  );
  return rows.map(({ period: start, requests }) => [start.toISOString(), requests]);
}

/** How many of the events fall in each hour, day or month of the UTC calendar. */
export function countsBy(events: readonly UsageEvent[], view: 'hourly' | 'daily' | 'monthly'): [string, number][] {
  const [length, rest] = { hourly: [13, ':00:00.000Z'], daily: [10, 'T00:00:00.000Z'], monthly: [7, '-01T00:00:00.000Z'] }[
    view
  ] as [number, string];
  const counts = new Map<string, number>();
  for (const { time } of events) {
    const start = `${time.slice(0, length)}${rest}`;
    counts.set(start, (counts.get(start) ?? 0) + 1);
  }
  return [...counts].sort(([one], [other]) => (one < other ? -1 : 1));
}

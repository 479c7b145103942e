import type { Database } from '@tollgate/postgres/database';
import { Invalid } from '@tollgate/postgres/errors';
import { type UsageGrouping, type UsageQuery, usageReport } from '@tollgate/postgres/usage-report';
import { dropOldUsage, storeUsage } from '@tollgate/postgres/usage-store';
import { expect, test } from 'vitest';
import { anEvent, openFresh } from './open-fresh.js';

const ORGANIZATION = anEvent().organization_id;

function query(from: string, to: string, by: UsageGrouping = 'total'): UsageQuery {
  return { organizationId: ORGANIZATION, from: new Date(from), to: new Date(to), by };
}

async function store(db: Database, events: ReturnType<typeof anEvent>[]): Promise<void> {
  await storeUsage(db, {
    ...{ group: 'g', logId: 'l', topic: 't', partition: 0, startOffset: 0n },
    nextOffset: BigInt(events.length),
    events,
    deadLetters: [],
  });
}

test('a report of any range is what counting the single events gives', async () => {
  const { db } = await openFresh();
  const times = Array.from({ length: 400 }, (_, i) => Date.UTC(2026, 10, 20) + i * 1_000_037);
  const edges = ['2026-11-22T05:00:00.000Z', '2026-11-22T04:59:59.999Z', '2026-11-22T05:00:00.001Z'].map((time) =>
    Date.parse(time),
  );
  const events = [...times, ...edges].map((timeMs, i) =>
    anEvent({
      time: `${new Date(timeMs).toISOString().slice(0, -1)}000Z`,
      units: (i % 9) + 1,
      billable: i % 3 !== 0,
      response_time_ms: i,
      environment: i % 2 === 0 ? 'live' : 'test',
    }),
  );
  await store(db, [...events, anEvent({ organization_id: '33333333-3333-4333-8333-333333333333' })]);
  const ranges = [
    ['2026-11-20T00:00:00Z', '2026-11-25T00:00:00Z'],
    ['2026-11-22T05:00:00Z', '2026-11-22T06:00:00Z'],
    ['2026-11-22T04:30:00Z', '2026-11-22T05:00:00Z'],
    ['2026-11-22T04:59:59.999Z', '2026-11-22T05:00:00.001Z'],
    ['2026-11-22T05:00:00.001Z', '2026-11-22T05:30:00Z'],
    ['2026-11-20T00:16:40.037Z', '2026-11-23T17:59:59.999Z'],
    ['2026-11-21T23:59:59.999Z', '2026-11-22T00:00:00.000Z'],
  ] as const;
  for (const [from, to] of ranges) {
    const expected = events.filter(({ time }) => Date.parse(time) >= Date.parse(from) && Date.parse(time) < Date.parse(to));
    const billable = expected.filter((event) => event.billable);
    const rows = await usageReport(db, query(from, to));
    const total = {
      periodStart: new Date(from),
      requests: expected.length,
      billableRequests: billable.length,
      billableUnits: billable.reduce((sum, { units }) => sum + units, 0),
      requestBytes: expected.length * 100,
      responseBytes: expected.length * 1000,
      avgResponseTimeMs: expect.closeTo(expected.reduce((sum, event) => sum + event.response_time_ms, 0) / expected.length),
      maxResponseTimeMs: Math.max(...expected.map((event) => event.response_time_ms)),
    };
    expect(rows).toEqual(expected.length === 0 ? [] : [total]);
    for (const by of ['hour', 'day', 'month', 'route', 'key', 'status'] as const) {
      const parts = await usageReport(db, query(from, to, by));
      expect(parts.reduce((sum, { requests }) => sum + requests, 0)).toBe(expected.length);
      expect(parts.reduce((sum, { billableUnits }) => sum + billableUnits, 0)).toBe(total.billableUnits);
    }
  }
});

test('hours, days and months begin where the UTC calendar says', async () => {
  const { db } = await openFresh();
  await store(
    db,
    ['2026-10-31T23:59:59.999999Z', '2026-11-01T00:00:00.000000Z', '2026-11-01T00:59:59.999999Z'].map((time) =>
      anEvent({ time }),
    ),
  );
  const starts = async (by: UsageGrouping) =>
    (await usageReport(db, query('2026-10-31T12:30:00Z', '2026-11-02T00:00:00Z', by))).map(({ periodStart, requests }) => [
      periodStart.toISOString(),
      requests,
    ]);
  expect(await starts('hour')).toEqual([
    ['2026-10-31T23:00:00.000Z', 1],
    ['2026-11-01T00:00:00.000Z', 2],
  ]);
  expect(await starts('day')).toEqual([
    ['2026-10-31T00:00:00.000Z', 1],
    ['2026-11-01T00:00:00.000Z', 2],
  ]);
  expect(await starts('month')).toEqual([
    ['2026-10-01T00:00:00.000Z', 1],
    ['2026-11-01T00:00:00.000Z', 2],
  ]);
});

test('routes, keys and statuses are told apart, the busiest first', async () => {
  const { db } = await openFresh();
  await store(db, [
    anEvent({ route: "o'rders", status_code: 404 }),
    anEvent({ route: 'b' }),
    anEvent({ route: 'b', billable: false, units: 9 }),
  ]);
  const groups = async (by: UsageGrouping) =>
    (await usageReport(db, query('2026-11-23T00:00:00Z', '2026-11-24T00:00:00Z', by))).map((row) => [
      row.group,
      row.requests,
      row.billableUnits,
    ]);
  expect(await groups('route')).toEqual([
    ['b', 2, 1],
    ["o'rders", 1, 1],
  ]);
  expect(await groups('status')).toEqual([
    ['200', 2, 1],
    ['404', 1, 1],
  ]);
  expect(await groups('key')).toEqual([[anEvent().api_key_id, 3, 2]]);
});

test('a range that needs raw events which are gone is refused, whole hours are still told', async () => {
  const { db } = await openFresh();
  await store(db, [anEvent({ time: '2026-09-01T10:30:00.000000Z' })]);
  const nowMs = Date.UTC(2026, 11, 31);
  await dropOldUsage(db, new Date(nowMs));
  await expect(usageReport(db, query('2026-09-01T10:15:00Z', '2026-09-02T00:00:00Z', 'total'))).rejects.toBeInstanceOf(Invalid);
  await expect(usageReport(db, query('2026-09-01T10:00:00Z', '2026-09-01T10:45:00Z', 'day'))).rejects.toBeInstanceOf(Invalid);
  await expect(usageReport(db, query('2026-09-01T10:00:00Z', '2026-09-02T00:00:00Z', 'route'))).rejects.toBeInstanceOf(Invalid);
  expect(await usageReport(db, query('2026-09-01T10:00:00Z', '2026-09-02T00:00:00Z', 'day'))).toMatchObject([{ requests: 1 }]);
});

test('a range that ends before it begins is refused, an empty one is empty', async () => {
  const { db } = await openFresh();
  await store(db, [anEvent()]);
  await expect(usageReport(db, query('2026-11-24T00:00:00Z', '2026-11-23T00:00:00Z'))).rejects.toBeInstanceOf(Invalid);
  await expect(usageReport(db, query('nonsense', '2026-11-23T00:00:00Z'))).rejects.toBeInstanceOf(Invalid);
  expect(await usageReport(db, query('2026-11-23T09:59:48.123Z', '2026-11-23T09:59:48.123Z'))).toEqual([]);
});

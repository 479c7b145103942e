import { monthPeriod } from '@tollgate/domain/period';
import { isoMicros } from '@tollgate/domain/usage-event';
import { dropOldUsage } from '@tollgate/postgres/usage-store';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Promises } from './ledger-behaves.js';
import {
  at,
  DAY_MICROS,
  HOUR_MICROS,
  microsOf,
  numbersOf,
  ORGANIZATION,
  OTHER_ORGANIZATION,
  storeAll,
  sumsOf,
  thisHour,
  usedIn,
} from './ledger-events.js';

/** Moments around edges of hours, as events and as ends of ranges, in microseconds from the beginning of the range. */
const MOMENT = fc
  .tuple(fc.integer({ min: 0, max: 4 }), fc.constantFrom(-1, 0, 1, 1_800_000_000))
  .map(([hour, micros]) => BigInt(hour) * HOUR_MICROS + BigInt(micros));
const EVENTS = fc.array(
  fc.record({
    moment: MOMENT,
    units: fc.integer({ min: 0, max: 1_000_000 }),
    billable: fc.boolean(),
    isOther: fc.boolean(),
    route: fc.constantFrom('a', 'b', '=c'),
    bytes: fc.integer({ min: 0, max: 1_000_000 }),
  }),
  { minLength: 1, maxLength: 60 },
);
const RANGES = fc.array(fc.tuple(MOMENT, MOMENT), { minLength: 10, maxLength: 10 });

export const billedCases: Promises = {
  'the usage of any period is what counting its single events gives, to the microsecond': async ({ db }, store) => {
    // Each run has days of its own.
    let start = thisHour() - 80n * DAY_MICROS;
    await fc.assert(
      fc.asyncProperty(EVENTS, RANGES, async (drawn, ranges) => {
        start += 4n * DAY_MICROS;
        const events = drawn.map(({ moment, units, billable, isOther, route, bytes }) =>
          at(start + moment, {
            ...{ units, billable, route, request_bytes: bytes, response_time_ms: units / 8 },
            organization_id: isOther ? OTHER_ORGANIZATION : ORGANIZATION,
          }),
        );
        await storeAll(db, events, store);
        // Chance seldom meets an event to the microsecond.
        const close = events.slice(0, 3).map((event) => microsOf(event) - start);
        const beside = close.flatMap((moment): [bigint, bigint][] => [
          [moment + 1n, 4n * DAY_MICROS],
          [0n, moment],
        ]);
        for (const edges of [...ranges, ...beside]) {
          const [from, to] = edges.map((moment) => start + moment).sort((one, other) => (one < other ? -1 : 1)) as [
            bigint,
            bigint,
          ];
          const within = events.filter((event) => microsOf(event) >= from && microsOf(event) < to);
          const mine = within.filter(({ organization_id }) => organization_id === ORGANIZATION);
          expect(await usedIn(db, from, to)).toEqual(sumsOf(mine));
          expect(await byRoute(db, from, to)).toEqual(
            ['=c', 'a', 'b']
              .map((route) => [route, sumsOf(mine.filter((event) => event.route === route))] as const)
              .filter(([, { requests }]) => requests > 0),
          );
          const top = await db.query<{ organization_id: string; billable_units: string }>(
            'SELECT * FROM usage_top_organizations($1, $2, 1)',
            [isoMicros(from), isoMicros(to)],
          );
          const units = [ORGANIZATION, OTHER_ORGANIZATION].map(
            (id) => sumsOf(within.filter(({ organization_id }) => organization_id === id)).billable_units,
          );
          expect(top.map(({ billable_units }) => Number(billable_units))).toEqual(
            within.length === 0 ? [] : [Math.max(...units)],
          );
        }
      }),
      { numRuns: 8, endOnFailure: true },
    );
  },

  'the current billing month begins on the anchor day, or on the last day of a month that lacks it': async ({ db }) => {
    const [thisMonth] = await db.query<{ period_start: Date; requests: string }>('SELECT * FROM current_month_usage($1)', [
      ORGANIZATION,
    ]);
    expect(thisMonth?.period_start).toEqual(new Date(monthPeriod(1, Date.now()).startMs));
    const moments = Array.from({ length: 250 }, (_, halfDay) => Date.UTC(2027, 11, 26) + halfDay * 43_200_000);
    for (const anchorDay of [1, 15, 28, 29, 30, 31]) {
      const rows = await db.query(
        'SELECT m.* FROM unnest($2::timestamptz[]) WITH ORDINALITY AS moment (at, nth), billing_month($1, at) AS m ORDER BY nth',
        [anchorDay, moments.map((nowMs) => new Date(nowMs).toISOString())],
      );
      const periods = moments.map((nowMs) => monthPeriod(anchorDay, nowMs));
      expect(rows).toEqual(
        periods.map(({ startMs, endMs }) => ({ period_start: new Date(startMs), period_end: new Date(endMs) })),
      );
    }
  },

  'the current month counts what its billing month holds': async ({ db }, store) => {
    const { startMs } = monthPeriod(17, Date.now());
    const start = BigInt(startMs) * 1000n;
    await storeAll(db, [at(start - 1n), at(start), at(start + 1n, { units: 3 })], store);
    const [row] = await db.query('SELECT * FROM current_month_usage($1, 17)', [ORGANIZATION]);
    expect(numbersOf(row)).toMatchObject({ requests: 2, billable_units: 4 });
    await expect(db.query('SELECT * FROM current_month_usage($1, 32)', [ORGANIZATION])).rejects.toThrow(/anchor day is 1 to 31/);
  },

  'what needs raw events that are gone is an error, and never too little': async ({ db }, store) => {
    const hour = thisHour() - 95n * DAY_MICROS;
    await storeAll(db, [at(hour + 5n), at(hour + HOUR_MICROS - 1n)], store);
    await dropOldUsage(db, new Date());
    expect(await usedIn(db, hour, hour + HOUR_MICROS)).toMatchObject({ requests: 2 });
    await expect(usedIn(db, hour + 1n, hour + HOUR_MICROS)).rejects.toMatchObject({ code: 'TG001' });
    await expect(usedIn(db, hour, hour + HOUR_MICROS - 1n)).rejects.toMatchObject({ code: 'TG001' });
    await expect(byRoute(db, hour, hour + HOUR_MICROS)).rejects.toThrow(/cannot be split by route/);
    const range = [isoMicros(hour + 1n), isoMicros(hour + HOUR_MICROS)];
    await expect(db.query('SELECT * FROM usage_top_organizations($1, $2, 3)', range)).rejects.toThrow(/are gone/);
    expect(await byRoute(db, hour, hour)).toEqual([]);
  },

  'a range without an end, or that ends before it begins, is an error': async ({ db }) => {
    const [from, to] = [isoMicros(thisHour()), isoMicros(thisHour() + 1n)];
    const periods = [
      [ORGANIZATION, to, from],
      [ORGANIZATION, null, to],
      [ORGANIZATION, from, null],
      [null, from, to],
    ];
    for (const values of periods) {
      await expect(db.query('SELECT * FROM usage_in_period($1, $2, $3)', values)).rejects.toMatchObject({ code: 'TG001' });
      await expect(db.query('SELECT * FROM usage_by_route($1, $2, $3)', values)).rejects.toMatchObject({ code: 'TG001' });
    }
    await expect(db.query('SELECT * FROM usage_top_organizations($1, $2, 0)', [from, to])).rejects.toMatchObject({
      code: 'TG001',
    });
  },
};

async function byRoute(db: Parameters<typeof usedIn>[0], from: bigint, to: bigint) {
  const range = [ORGANIZATION, isoMicros(from), isoMicros(to)];
  const rows = await db.query<{ route: string }>('SELECT * FROM usage_by_route($1, $2, $3) ORDER BY route COLLATE "C"', range);
  return rows.map((row) => [row.route, numbersOf(row)]);
}

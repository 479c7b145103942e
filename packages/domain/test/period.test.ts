import { env } from 'node:process';
import { DAY_MS, dayPeriod, monthPeriod } from '@tollgate/domain/period';
import * as fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { holds } from './holds.js';

const timeZone = env['TZ'];
afterEach(() => {
  if (timeZone === undefined) delete env['TZ'];
  else env['TZ'] = timeZone;
});

const moments = fc.integer({ min: Date.UTC(1990, 0), max: Date.UTC(2400, 0) });
const anchors = fc.integer({ min: 1, max: 31 });
const at = (text: string) => Date.parse(text);
const days = (period: { startMs: number; endMs: number }) =>
  [period.startMs, period.endMs].map((ms) => new Date(ms).toISOString());
const isLeap = (year: number) => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

test('a day holds its moment and lasts 24 hours from midnight in UTC', () => {
  holds(
    fc.property(moments, (nowMs) => {
      const { startMs, endMs } = dayPeriod(nowMs);
      expect(startMs <= nowMs && nowMs < endMs).toBe(true);
      expect(endMs - startMs).toBe(DAY_MS);
      expect(new Date(startMs).toISOString()).toMatch(/T00:00:00\.000Z$/);
    }),
  );
});

test('a month holds its moment: its start belongs to it, its end does not', () => {
  holds(
    fc.property(anchors, moments, (anchorDay, nowMs) => {
      const { startMs, endMs } = monthPeriod(anchorDay, nowMs);
      expect(startMs <= nowMs && nowMs < endMs).toBe(true);
      expect(monthPeriod(anchorDay, startMs)).toEqual({ startMs, endMs });
      expect(monthPeriod(anchorDay, endMs - 1)).toEqual({ startMs, endMs });
    }),
  );
});

test('months follow each other without a gap or an overlap', () => {
  holds(
    fc.property(anchors, moments, (anchorDay, nowMs) => {
      const { startMs, endMs } = monthPeriod(anchorDay, nowMs);
      expect(monthPeriod(anchorDay, endMs).startMs).toBe(endMs);
      expect(monthPeriod(anchorDay, startMs - 1).endMs).toBe(startMs);
    }),
  );
});

test('a month begins on the anchor day, or on the last day where the month is shorter', () => {
  holds(
    fc.property(anchors, moments, (anchorDay, nowMs) => {
      const start = new Date(monthPeriod(anchorDay, nowMs).startMs);
      const lengths = [31, isLeap(start.getUTCFullYear()) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
      expect(start.getUTCDate()).toBe(Math.min(anchorDay, lengths[start.getUTCMonth()] ?? 0));
      expect(start.getTime() % DAY_MS).toBe(0);
    }),
  );
});

test('a year has twelve months on every anchor day', () => {
  for (const year of [1999, 2000, 2023, 2024, 2100]) {
    for (let anchorDay = 1; anchorDay <= 31; anchorDay++) {
      const starts = new Set<number>();
      for (let ms = Date.UTC(year, 0, 31); ms < Date.UTC(year + 1, 0, 31); ms += DAY_MS)
        starts.add(monthPeriod(anchorDay, ms).startMs);
      expect(starts.size, `anchor ${anchorDay} in ${year}`).toBe(anchorDay === 31 ? 12 : 13);
    }
  }
});

test.each<[number, string, string, string]>([
  [1, '2026-11-23T12:00:00Z', '2026-11-01', '2026-12-01'],
  [1, '2026-12-31T23:59:59.999Z', '2026-12-01', '2027-01-01'],
  [1, '2027-01-01T00:00:00Z', '2027-01-01', '2027-02-01'],
  [15, '2026-01-14T23:59:59.999Z', '2025-12-15', '2026-01-15'],
  [15, '2026-01-15T00:00:00Z', '2026-01-15', '2026-02-15'],
  [31, '2026-06-29T23:59:59.999Z', '2026-05-31', '2026-06-30'],
  [31, '2026-06-30T00:00:00Z', '2026-06-30', '2026-07-31'],
  [31, '2026-02-27T23:59:59.999Z', '2026-01-31', '2026-02-28'],
  [31, '2026-02-28T00:00:00Z', '2026-02-28', '2026-03-31'],
  [31, '2024-02-28T23:59:59.999Z', '2024-01-31', '2024-02-29'],
  [31, '2024-02-29T00:00:00Z', '2024-02-29', '2024-03-31'],
  [30, '2024-02-29T00:00:00Z', '2024-02-29', '2024-03-30'],
  [29, '2023-02-28T00:00:00Z', '2023-02-28', '2023-03-29'],
  [29, '2100-02-28T00:00:00Z', '2100-02-28', '2100-03-29'],
  [29, '2000-02-29T00:00:00Z', '2000-02-29', '2000-03-29'],
])('anchor %i at %s is the month from %s to %s', (anchorDay, now, start, end) => {
  expect(days(monthPeriod(anchorDay, at(now)))).toEqual([`${start}T00:00:00.000Z`, `${end}T00:00:00.000Z`]);
});

test.each(['Europe/Berlin', 'America/New_York', 'Pacific/Apia', 'Asia/Kathmandu'])(
  'the clock of %s changes no period',
  (zone) => {
    // Around both changes of the clock in 2026, and the day that Samoa left out in 2011.
    const hours = [
      '2026-03-08T00:00:00Z',
      '2026-03-29T00:00:00Z',
      '2026-10-25T00:00:00Z',
      '2026-11-01T00:00:00Z',
      '2011-12-30T00:00:00Z',
    ].flatMap((day) => Array.from({ length: 48 }, (_, hour) => at(day) + (hour - 12) * 3_600_000));
    const periods = () => hours.map((ms) => [dayPeriod(ms), monthPeriod(1, ms), monthPeriod(29, ms), monthPeriod(31, ms)]);
    env['TZ'] = 'UTC';
    const inUtc = periods();
    env['TZ'] = zone;
    expect(new Date(at('2026-07-01T00:00:00Z')).getTimezoneOffset()).not.toBe(0);
    expect(periods()).toEqual(inUtc);
  },
);

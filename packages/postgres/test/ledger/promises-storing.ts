import { dropOldUsage, StaleOwner } from '@tollgate/postgres/usage-store';
import { expect } from 'vitest';
import { HOSTILE_EVENT_TEXTS } from '../hostile-strings.js';
import { count } from '../open-fresh.js';
import type { Promises } from './ledger-behaves.js';
import { at, countsBy, DAY_MICROS, HOUR_MICROS, periodsOf, storeAll, sumsOf, thisHour, usedIn } from './ledger-events.js';

const AGGREGATES = ['hourly', 'daily', 'monthly'] as const;

export const storedCases: Promises = {
  'an event is stored and counted once, in one batch, beside new ones, and in a log that was made anew': async (
    { db },
    store,
  ) => {
    const [one, two, three] = [at(thisHour()), at(thisHour(), { units: 5 }), at(thisHour(), { billable: false })];
    expect(await storeAll(db, [one, one, two], store)).toMatchObject({ inserted: 2, duplicates: 1, deadLettered: 0 });
    expect(await storeAll(db, [two, three, one, { ...one, units: 9 }], store)).toMatchObject({ inserted: 1, duplicates: 3 });
    expect(await count(db, 'usage_events')).toBe(3);
    expect(await usedIn(db, thisHour(), thisHour() + HOUR_MICROS)).toEqual(sumsOf([one, two, three]));
  },

  'an owner that was overtaken stores nothing': async ({ db }, store) => {
    const place = { group: 'writer', logId: 'fenced', topic: 'usage-events', partition: 0, startOffset: 0n, deadLetters: [] };
    await store(db, { ...place, nextOffset: 2n, events: [at(thisHour()), at(thisHour())] });
    const stale = store(db, { ...place, startOffset: 1n, nextOffset: 2n, events: [at(thisHour())] });
    await expect(stale).rejects.toBeInstanceOf(StaleOwner);
    expect(await count(db, 'usage_events')).toBe(2);
  },

  'an event that is an hour, three or 35 days late is in its own hour at once, and in its day and month after the next refresh':
    async (ledger, store) => {
      const { db } = ledger;
      const now = thisHour();
      const days = [0n, 1n, 2n, 3n, 30n, 35n, 60n, 88n].map((day) => at(now - day * DAY_MICROS));
      await storeAll(db, days, store);
      await ledger.refresh();
      const late = [now - HOUR_MICROS, now - 3n * DAY_MICROS, now - 35n * DAY_MICROS, now - 88n * DAY_MICROS].map((micros) =>
        at(micros + 1n),
      );
      await storeAll(db, late, store);
      expect(await periodsOf(db, 'hourly')).toEqual(countsBy([...days, ...late], 'hourly'));
      await ledger.refresh();
      for (const view of AGGREGATES) expect(await periodsOf(db, view)).toEqual(countsBy([...days, ...late], view));
    },

  'an event at the very edge of an hour, a day and a month is in the one that it begins': async (ledger, store) => {
    const month = new Date(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth()));
    const edge = BigInt(month.getTime()) * 1000n;
    const events = [at(edge - 1n), at(edge), at(edge + HOUR_MICROS - 1n), at(edge + DAY_MICROS - 1n)];
    await storeAll(ledger.db, events, store);
    await ledger.refresh();
    for (const view of AGGREGATES) expect(await periodsOf(ledger.db, view)).toEqual(countsBy(events, view));
  },

  'sums stay when raw events are dropped, also when every day and month is reckoned anew': async (ledger, store) => {
    const { db } = ledger;
    const now = thisHour();
    const events = [100n, 95n, 91n, 88n, 1n].flatMap((day) => [at(now - day * DAY_MICROS), at(now - day * DAY_MICROS + 1n)]);
    await storeAll(db, events, store);
    await ledger.refresh();
    expect(await dropOldUsage(db, new Date())).toBe(3);
    expect(await count(db, 'usage_events')).toBe(4);
    await ledger.refresh();
    for (const view of AGGREGATES) expect(await periodsOf(db, view)).toEqual(countsBy(events, view));
    expect(await usedIn(db, now - 200n * DAY_MICROS, now + DAY_MICROS)).toEqual(sumsOf(events));
    expect(await dropOldUsage(db, new Date())).toBe(0);
  },

  'compressed events are as good as others: duplicates stay out, late ones come in': async (ledger, store) => {
    const { db } = ledger;
    const start = thisHour() - 10n * DAY_MICROS;
    const events = Array.from({ length: 200 }, (_, i) => at(start + BigInt(i) * 1_000_003n, { units: i }));
    await storeAll(db, events, store);
    await ledger.compress();
    const late = at(start + 5n);
    expect(await storeAll(db, [...events, late], store)).toMatchObject({ inserted: 1, duplicates: 200, deadLettered: 0 });
    expect(await usedIn(db, start, start + 100_000_000n)).toEqual(
      sumsOf([...events, late].filter(({ time }) => Date.parse(time) * 1000 < Number(start + 100_000_000n))),
    );
    expect(await count(db, 'usage_events')).toBe(201);
  },

  'text of every kind comes back as it was': async ({ db }, store) => {
    const events = HOSTILE_EVENT_TEXTS.map((text) =>
      at(thisHour(), { path: text, route: text, method: text.slice(0, 9), request_id: text, node_id: text }),
    );
    await storeAll(db, events, store);
    const rows = await db.query<Record<string, string>>(
      `SELECT replace(event_id::text, '-', '') AS event_id, path, route, method, request_id, node_id, shadow_limited FROM usage_events`,
    );
    const stored = new Map(rows.map((row) => [row['event_id'], row]));
    for (const { event_id, path, route, method, request_id, node_id } of events)
      expect(stored.get(event_id)).toEqual({ event_id, path, route, method, request_id, node_id, shadow_limited: null });
  },
};

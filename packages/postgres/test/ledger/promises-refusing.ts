import type { UsageEvent } from '@tollgate/domain/usage-event';
import type { Database, Sql } from '@tollgate/postgres/database';
import { listDeadLetters } from '@tollgate/postgres/dead-letters';
import { expect } from 'vitest';
import { anEvent, count } from '../open-fresh.js';
import type { Promises } from './ledger-behaves.js';
import { at, HOUR_MICROS, ORGANIZATION, OTHER_ORGANIZATION, storeAll, sumsOf, thisHour, usedIn } from './ledger-events.js';

/** Nothing that judges events lets these pass; what matters is that the database knows a rule that they did not. */
const REFUSED: readonly Partial<UsageEvent>[] = [{ units: -1 }, { units: 2 ** 40 }];

/** As many as the writer stores at a time. */
const BATCH = 5_000;
/** Halving until each refused event is alone would take more than ten thousand. */
const FEW_STATEMENTS = 500;

export const refusedCases: Promises = {
  'events that the database refuses become dead letters, and those beside them are stored': async ({ db }, store) => {
    const poison = new Set([0, 7, 500, 501, 999]);
    const events = Array.from({ length: 1000 }, (_, i) =>
      at(thisHour(), {
        organization_id: i % 2 === 0 ? ORGANIZATION : OTHER_ORGANIZATION,
        ...(poison.has(i) ? REFUSED[i % 2] : {}),
      }),
    );
    expect(await storeAll(db, events, store)).toMatchObject({ inserted: 995, duplicates: 0, deadLettered: 5 });
    expect(await count(db, 'usage_events')).toBe(995);
    const letters = await listDeadLetters(db, { limit: 10 });
    expect(letters.map(({ offset }) => Number(offset))).toEqual([...poison]);
    expect(letters.map(({ value }) => JSON.parse(value.toString()))).toEqual([...poison].map((i) => events[i]));
    expect(new Set(letters.map(({ reason }) => reason))).toEqual(
      new Set([expect.stringMatching(/^refused by PostgreSQL \(23514, .*units_check\)$/), 'refused by PostgreSQL (22003)']),
    );
  },

  'a batch of which half is refused takes few statements, however it is mixed: each event is stored or a dead letter, once':
    async ({ db }, store) => {
      const events = Array.from({ length: BATCH }, (_, i) =>
        at(thisHour() + BigInt(i), i % 2 === 0 ? { units: i } : REFUSED[(i % 4) >> 1]),
      );
      const good = events.filter((_, i) => i % 2 === 0);
      const half = BATCH / 2;
      expect(await storeAll(withAtMost(FEW_STATEMENTS, db), events, store)).toMatchObject({
        inserted: half,
        duplicates: 0,
        deadLettered: half,
      });
      expect(await usedIn(db, thisHour(), thisHour() + HOUR_MICROS)).toEqual(sumsOf(good));
      const stored = await db.query<{ id: string }>(
        "SELECT replace(event_id::text, '-', '') AS id FROM usage_events ORDER BY time",
      );
      expect(stored.map(({ id }) => id)).toEqual(good.map(({ event_id }) => event_id));
      const letters = await listDeadLetters(db, { limit: BATCH });
      expect(letters.map(({ offset }) => Number(offset))).toEqual(Array.from({ length: half }, (_, i) => i * 2 + 1));
      expect(letters.every(({ reason }) => reason.startsWith('refused by PostgreSQL (2'))).toBe(true);
      expect(await storeAll(db, events, store)).toMatchObject({ inserted: 0, duplicates: half, deadLettered: half });
    },

  'trouble that is met while refused events are searched for costs no event: nothing is kept': async ({ db }, store) => {
    const events = [at(thisHour(), { units: -1 }), at(thisHour() + 1n, { route: 'trouble' })];
    await withTrouble(db, async () => {
      await expect(storeAll(db, events, store)).rejects.toThrow('trouble');
    });
    expect([await count(db, 'usage_events'), await count(db, 'usage_dead_letters')]).toEqual([0, 0]);
    expect(await storeAll(db, events, store)).toMatchObject({ inserted: 1, duplicates: 0, deadLettered: 1 });
  },

  'a batch of nothing but refused events moves on': async ({ db }, store) => {
    expect(
      await storeAll(db, [at(thisHour(), { units: -1 }), anEvent({ time: '2026-02-30T00:00:00.000000Z' })], store),
    ).toMatchObject({
      inserted: 0,
      duplicates: 0,
      deadLettered: 2,
    });
  },
};

/** Rejects at the first statement that is one too many. */
function withAtMost(most: number, db: Database): Database {
  let statements = 0;
  const over = (sql: Sql): Sql => ({
    query: async (text, values, name) => {
      if (++statements > most) throw new Error(`more than ${most} statements`);
      return sql.query(text, values, name);
    },
    transaction: (work) => sql.transaction((tx) => work(over(tx))),
  });
  return { ...over(db), close: db.close };
}

/** A database that ends a transaction for the sake of another one, as it does to break a deadlock. */
async function withTrouble(db: Database, work: () => Promise<void>): Promise<void> {
  await db.query(
    "CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trouble' USING ERRCODE = '40P01'; END $$",
  );
  await db.query(
    "CREATE TRIGGER trouble BEFORE INSERT ON usage_events FOR EACH ROW WHEN (NEW.route = 'trouble') EXECUTE FUNCTION trouble()",
  );
  try {
    await work();
  } finally {
    await db.query('DROP TRIGGER trouble ON usage_events');
    await db.query('DROP FUNCTION trouble()');
  }
}

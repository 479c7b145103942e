import type { Database, Sql } from '@tollgate/postgres/database';
import { storeUsage } from '@tollgate/postgres/usage-store';
import { expect, onTestFinished, test } from 'vitest';
import { PROMISES } from './ledger-behaves.js';
import type { LedgerSubject } from './ledger-subject.js';
import { plainLedger } from './plain-ledger.js';

type Change = readonly [from: string | RegExp, to: string];

interface Wrong {
  /** Of the promises, the one that must be seen to be broken: a part of its title. */
  breaks: string;
  change: Change;
  /** The function of the schema that is changed; without it, what is sent to the database. */
  schemaFunction?: string;
}

const ONCE = 'stored and counted once';
const FENCE = 'an owner that was overtaken';
const PERIOD = 'the usage of any period';
const REFUSED = 'refuses become dead letters, and';
const SEARCH = 'takes few statements';
const TROUBLE = 'trouble that is met';
const GONE = 'raw events that are gone';
const MONTH = 'billing month begins';

/** Each is a mistake that a ledger could make; the suite must notice. */
const WRONG: Record<string, Wrong> = {
  'events inserted without a conflict clause': { breaks: ONCE, change: ['ON CONFLICT DO NOTHING\n', '\n'] },
  'offsets without a fence': { breaks: FENCE, change: ['WHERE o.next_offset <= $5', ''] },
  'hours counted from what came in, and not from what was inserted': {
    breaks: ONCE,
    change: [
      /SELECT (.*?) FROM unnest\((.*?)\) AS event \((.*?)\)([\s\S]*)FROM inserted GROUP BY/,
      `SELECT $1 FROM unnest($2) AS event ($3)$4FROM (SELECT *, date_trunc('hour', time, 'UTC') AS hour
       FROM unnest($2) AS event ($3)) AS inserted GROUP BY`,
    ],
  },
  'a refused event that takes those beside it along': {
    breaks: REFUSED,
    change: ['ORDER BY time, organization_id', 'WHERE false ORDER BY time, organization_id'],
  },
  'a search that takes good events behind a refused one for refused': {
    breaks: REFUSED,
    schemaFunction: 'try_usage',
    change: ['code := NULL;', ''],
  },
  'a search that keeps what it tries, so that its hours are not counted': {
    breaks: SEARCH,
    schemaFunction: 'try_usage',
    change: ["RAISE EXCEPTION USING ERRCODE = 'TG002'", 'RETURN'],
  },
  'a search that finds none, so that halving has to': {
    breaks: SEARCH,
    change: ['SELECT code, rule FROM try_usage', 'SELECT NULL AS code, rule FROM try_usage'],
  },
  'a search that takes a deadlock for a refusal': {
    breaks: TROUBLE,
    schemaFunction: 'try_usage',
    change: [/WHEN data_exception OR \w+ OR \w+ THEN/, 'WHEN OTHERS THEN'],
  },
  'a period that holds its end': {
    breaks: PERIOD,
    schemaFunction: 'usage_slices',
    change: ['e.time < to_time', 'e.time <= to_time'],
  },
  'a period without the rest before its first whole hour': {
    breaks: PERIOD,
    schemaFunction: 'usage_slices',
    change: ['e.time < first_hour', 'false'],
  },
  'hours that begin half an hour late': {
    breaks: PERIOD,
    schemaFunction: 'usage_whole_hours',
    change: [/'hour', (\w+), 'UTC'/g, "'hour', $1, 'Asia/Kolkata'"],
  },
  'a period that is cut to the millisecond': {
    breaks: PERIOD,
    schemaFunction: 'usage_slices',
    change: ['e.time >= from_time', "e.time >= date_trunc('milliseconds', from_time)"],
  },
  'dropping raw events without writing it down': {
    breaks: GONE,
    schemaFunction: 'drop_usage_partitions',
    change: ['WHERE dropped_before < horizon', 'WHERE false'],
  },
  'a month that begins on the 1st of the next one where it lacks the anchor day': {
    breaks: MONTH,
    schemaFunction: 'billing_month',
    change: [/least\((first_day \+ anchor), [^)]*\)/g, '($1)'],
  },
};

test.for(Object.entries(WRONG))('the suite notices %s', async ([, wrong]) => {
  const [promise] = Object.entries(PROMISES).filter(([title]) => title.includes(wrong.breaks));
  const ledger = await brokenLedger(wrong);
  onTestFinished(ledger.close);
  await expect(promise?.[1](ledger, storeUsage)).rejects.toThrow();
});

async function brokenLedger({ schemaFunction, change }: Wrong): Promise<LedgerSubject> {
  const ledger = await plainLedger();
  if (schemaFunction === undefined) return { ...ledger, db: withChange(ledger.db, change) };
  const [row] = await ledger.db.query<{ text: string }>('SELECT pg_get_functiondef($1::regproc) AS text', [schemaFunction]);
  await ledger.db.query(changed(row?.text ?? '', change));
  return ledger;
}

function withChange(db: Database, [from, to]: Change): Database {
  const over = (sql: Sql): Sql => ({
    query: (text, values, name) => sql.query(text.replace(from, to), values, name),
    transaction: (work) => sql.transaction((tx) => work(over(tx))),
  });
  return { ...over(db), close: db.close };
}

function changed(text: string, [from, to]: Change): string {
  const result = text.replace(from, to);
  if (result === text) throw new Error(`nothing was broken: ${from} is not there`);
  return result;
}

import { randomUUID } from 'node:crypto';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import { openDatabase } from '@tollgate/postgres/database';
import { listDeadLetters } from '@tollgate/postgres/dead-letters';
import { storeUsage } from '@tollgate/postgres/usage-store';
import { freshDatabase } from '@tollgate/testing/database';
import { expect, onTestFinished, test } from 'vitest';
import { storeBatch } from '../../src/writer/store-batch.js';
import { POISON_KINDS, RULES_OF_THE_DATABASE } from './poison-kinds.js';

const NOW_MS = Date.parse('2026-11-23T10:00:00Z');

function anEvent(parts: object = {}): UsageEvent {
  const event: UsageEvent = {
    v: 1,
    event_id: randomUUID().replaceAll('-', ''),
    time: '2026-11-23T09:59:48.123456Z',
    request_id: 'request',
    organization_id: randomUUID(),
    api_key_id: randomUUID(),
    environment: 'live',
    method: 'GET',
    path: '/',
    route: 'orders',
    status_code: 200,
    response_time_ms: 1,
    request_bytes: 0,
    response_bytes: 0,
    billable: true,
    units: 1,
    origin: 'upstream',
  };
  return { ...event, ...parts };
}

const json = (parts: object = {}) => Buffer.from(JSON.stringify(anEvent(parts)));

/** With what no message of Kafka holds, but a file may. */
const POISON: Record<string, Buffer> = {
  ...Object.fromEntries(Object.entries(POISON_KINDS).map(([kind, make]) => [kind, make(json, NOW_MS)])),
  'ten megabytes': Buffer.alloc(10_000_000, '{"v":1,'),
  'ten megabytes of a good event': json({ path: 'x'.repeat(10_000_000) }),
};

test('poison of every kind becomes a dead letter, and every good event beside it is stored', async () => {
  const database = await freshDatabase();
  const options = { url: database.url, maxConnections: 2, connectTimeoutMs: 5_000, statementTimeoutMs: 10_000 };
  const db = openDatabase({ ...options, applicationName: 'test', onError: () => {} });
  onTestFinished(async () => {
    await db.close();
    await database.close();
  });
  for (const rule of RULES_OF_THE_DATABASE) await db.query(rule);
  // Texts that COPY, arrays or SQL read as something else are no poison.
  const good = ['\\.', '\\N', '\\', '\t\n\r', '"', '{', "'", '\u{10FFFF}', 'NULL', ''].map((path) => json({ path, route: path }));
  const values = Object.values(POISON).flatMap((poison, i) => [good[i % good.length] ?? poison, poison]);
  // Good ones are events of their own each time.
  const records = values.map((value, at) => ({
    offset: BigInt(at),
    value: at % 2 === 0 ? Buffer.from(value.toString().replace(/[0-9a-f]{32}/, randomUUID().replaceAll('-', ''))) : value,
  }));
  const counted: Record<string, number> = {};
  const place = { logId: 'log', topic: 'usage-events', partition: 0, startOffset: 0n, nextOffset: BigInt(records.length) };
  await storeBatch({ ...place, records }, NOW_MS, {
    store: (judged) => storeUsage(db, { group: 'writer', ...judged }),
    count: (stage, events) => {
      counted[stage] = events;
    },
    saw: () => {},
  });
  const poison = Object.values(POISON);
  expect(counted).toEqual({ stored: poison.length, duplicate: 0, dead: poison.length });
  const letters = await listDeadLetters(db, { limit: 100 });
  const byOffset = letters.sort((one, other) => Number(one.offset - other.offset));
  expect(byOffset.map(({ offset }) => Number(offset))).toEqual(poison.map((_, i) => i * 2 + 1));
  byOffset.forEach(({ value, valueBytes, reason }, i) => {
    expect(value.equals(poison[i]?.subarray(0, 65_536) ?? Buffer.alloc(0)), Object.keys(POISON)[i]).toBe(true);
    expect(valueBytes).toBe(poison[i]?.length);
    expect(reason).toMatch(/^(not|invalid|unknown version|too|refused by PostgreSQL \((23514, no_forbidden|22012|54000, \w+)\))/);
  });
});

test('an organization that nobody knows is stored: usage may live where organizations do not, and outlives them', async () => {
  const database = await freshDatabase();
  const options = { url: database.url, maxConnections: 1, connectTimeoutMs: 5_000, statementTimeoutMs: 10_000 };
  const db = openDatabase({ ...options, applicationName: 'test', onError: () => {} });
  onTestFinished(async () => {
    await db.close();
    await database.close();
  });
  const place = { logId: 'log', topic: 'usage-events', partition: 0, startOffset: 0n, nextOffset: 1n };
  await storeBatch({ ...place, records: [{ offset: 0n, value: json({}) }] }, NOW_MS, {
    store: (judged) => storeUsage(db, { group: 'writer', ...judged }),
    count: () => {},
    saw: () => {},
  });
  expect(await db.query('SELECT requests::int FROM usage_hourly')).toEqual([{ requests: 1 }]);
});

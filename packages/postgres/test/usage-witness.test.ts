import { randomUUID } from 'node:crypto';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import type { Database } from '@tollgate/postgres/database';
import { reconcileUsage } from '@tollgate/postgres/usage-reconcile';
import { StaleOwner, storeUsage } from '@tollgate/postgres/usage-store';
import {
  deadLettered,
  dropOldWitness,
  keepWitness,
  missingEvents,
  newestStored,
  readWitnessedFiles,
  storedBetween,
  storedTotals,
  type WitnessRow,
  witnessedTotals,
} from '@tollgate/postgres/usage-witness';
import { expect, test } from 'vitest';
import { anEvent, count, openFresh } from './open-fresh.js';

const MINUTE = new Date(Math.floor(Date.now() / 3_600_000 - 1) * 3_600_000);
const MINUTE_MS = 60_000;
const NODE = 'edge-1';
const ORGANIZATION = '11111111-1111-4111-8111-111111111111';
const OTHER = '33333333-3333-4333-8333-333333333333';

const after = (ms: number) => new Date(MINUTE.getTime() + ms);
const isoOf = (at: Date) => `${at.toISOString().slice(0, -1)}000Z`;
const eventAt = (ms: number, parts: Partial<UsageEvent> = {}) => anEvent({ time: isoOf(after(ms)), node_id: NODE, ...parts });

async function store(db: Database, events: readonly UsageEvent[]): Promise<void> {
  const place = { group: 'g', logId: randomUUID(), topic: 't', partition: 0, startOffset: 0n, nextOffset: 1n };
  await storeUsage(db, {
    ...place,
    events,
    deadLetters: [{ offset: 0n, value: Buffer.from('{"event_id":"dead"}'), reason: 'bad' }],
  });
}

const xorOf = (events: readonly UsageEvent[]) => events.reduce((xor, { event_id }) => xor ^ BigInt(`0x${event_id}`), 0n);

function rowOf(events: readonly UsageEvent[], parts: Partial<WitnessRow> = {}): WitnessRow {
  const counts = { requests: events.length, recorded: events.length, billableUnits: events.length, replayed: 0, deadLettered: 0 };
  return { organizationId: ORGANIZATION, minute: MINUTE, ...counts, idsXor: xorOf(events), ...parts };
}

const keep = (db: Database, rows: readonly WitnessRow[], offsets: [number, number], checkedUntil = after(10 * MINUTE_MS)) =>
  keepWitness(db, {
    nodeId: NODE,
    rows,
    files: [{ fileId: 'f', startOffset: offsets[0], nextOffset: offsets[1] }],
    checkedUntil,
  });

const reconcile = (db: Database, from = MINUTE, to = after(10 * MINUTE_MS)) =>
  reconcileUsage(db, { organizationId: ORGANIZATION, from, to, nowMs: Date.now() });

test('what is stored of a minute is told by gateway and organization, without its neighbours', async () => {
  const { db } = await openFresh();
  const mine = [eventAt(0), eventAt(59_999)];
  const theirs = [eventAt(1, { organization_id: OTHER })];
  await store(db, [...mine, ...theirs, eventAt(-1), eventAt(60_000), eventAt(5, { node_id: 'edge-2' })]);
  expect(await storedTotals(db, NODE, MINUTE)).toEqual(
    new Map([
      [ORGANIZATION, { requests: 2, idsXor: xorOf(mine) }],
      [OTHER, { requests: 1, idsXor: xorOf(theirs) }],
    ]),
  );
  const lost = randomUUID().replaceAll('-', '');
  const ids = [lost, ...mine.map(({ event_id }) => event_id), ...theirs.map(({ event_id }) => event_id)];
  const missing = await missingEvents(db, { organizationId: ORGANIZATION, minute: MINUTE, ids });
  expect(new Set(missing)).toEqual(new Set([lost, ...theirs.map(({ event_id }) => event_id)]));
  expect(await newestStored(db, NODE, MINUTE)).toEqual(after(60_000));
  expect(await newestStored(db, 'edge-3', MINUTE)).toBeUndefined();
  expect(await deadLettered(db, ['dead', lost])).toEqual(['dead']);
});

test('requests are found by the moment of their end, at which Envoy counts them', async () => {
  const { db } = await openFresh();
  await store(db, [eventAt(0, { response_time_ms: 1000 }), eventAt(0, { response_time_ms: 5000 }), eventAt(4000)]);
  expect(await storedBetween(db, NODE, after(1000), after(5000))).toBe(2);
  expect(await storedBetween(db, NODE, after(0), after(1000))).toBe(1);
});

test('what is kept is added up, and never twice: whoever is not where the file was left is refused', async () => {
  const { db } = await openFresh();
  const [first, second] = [[eventAt(1), eventAt(2)], [eventAt(3)]];
  await keep(db, [rowOf(first, { recorded: 1, replayed: 2, deadLettered: 1 })], [0, 100]);
  await expect(keep(db, [rowOf(first)], [0, 100])).rejects.toThrow(StaleOwner);
  await expect(keep(db, [rowOf(first)], [50, 150])).rejects.toThrow(StaleOwner);
  await keep(db, [rowOf(second)], [100, 150]);
  expect(await witnessedTotals(db, NODE, MINUTE)).toEqual(
    new Map([[ORGANIZATION, { requests: 3, idsXor: xorOf([...first, ...second]) }]]),
  );
  const [row] = await db.query('SELECT recorded::int, replayed::int, dead_lettered::int AS dead FROM usage_witness');
  expect(row).toEqual({ recorded: 2, replayed: 2, dead: 1 });
  expect(await readWitnessedFiles(db, NODE)).toEqual(new Map([['f', 150]]));
  expect(await readWitnessedFiles(db, 'edge-2')).toEqual(new Map());
  await expect(
    keepWitness(db, {
      nodeId: 'edge-2',
      rows: [],
      files: [{ fileId: 'f', startOffset: 9, nextOffset: 10 }],
      checkedUntil: MINUTE,
    }),
  ).rejects.toThrow(StaleOwner);
});

test('what was witnessed more than 90 days ago is forgotten', async () => {
  const { db } = await openFresh();
  const day = 86_400_000;
  await keep(db, [rowOf([eventAt(1)]), rowOf([eventAt(1)], { minute: after(-91 * day) })], [0, 100]);
  expect(await dropOldWitness(db, new Date(MINUTE.getTime() + day))).toBe(1);
  expect(await count(db, 'usage_witness')).toBe(1);
});

test('a reconciliation without a gap says so, and what had to be replayed is told apart', async () => {
  const { db } = await openFresh();
  const events = [eventAt(1), eventAt(2), eventAt(MINUTE_MS)];
  await store(db, events);
  const later = rowOf(events.slice(2), { minute: after(MINUTE_MS), replayed: 1 });
  await keep(db, [rowOf(events.slice(0, 2)), later], [0, 100]);
  const found = await reconcile(db);
  expect(found).toMatchObject({ proxied: 3, recorded: 3, isWitnessed: true });
  expect(found.gaps).toEqual([{ nodeId: NODE, minute: after(MINUTE_MS), requests: 1, reason: 'replayed' }]);
});

test('every gap has its gateway, its minute, its size and its reason', async () => {
  const { db } = await openFresh();
  const minutes = [0, 1, 2, 3, 4].map((i) => [1, 2, 3].map((ms) => eventAt(i * MINUTE_MS + ms)));
  const [dead = [], unseen = [], other = [], masked = [], pending = []] = minutes;
  const stranger = eventAt(3 * MINUTE_MS + 9);
  await store(db, [...dead.slice(1), ...unseen, ...other.slice(1), ...masked.slice(1), stranger, ...pending]);
  await keep(
    db,
    [
      rowOf(dead, { recorded: 2, deadLettered: 1 }),
      rowOf(other, { minute: after(2 * MINUTE_MS), recorded: 2 }),
      rowOf(masked, { minute: after(3 * MINUTE_MS), recorded: 2 }),
    ],
    [0, 100],
    after(4 * MINUTE_MS),
  );
  const found = await reconcile(db);
  expect(found).toMatchObject({ proxied: 9, recorded: 13, isWitnessed: false });
  expect(
    found.gaps.map(({ minute, requests, reason }) => [(minute.getTime() - MINUTE.getTime()) / MINUTE_MS, requests, reason]),
  ).toEqual([
    [0, 1, 'dead_lettered'],
    [1, 3, 'unwitnessed'],
    [2, 1, 'not_stored'],
    [3, 1, 'not_stored'],
    [3, 1, 'unwitnessed'],
    [4, 3, 'pending'],
  ]);
});

test('no data is never a pass: a range that nobody watched, or not to its end, is not witnessed', async () => {
  const { db } = await openFresh();
  expect(await reconcile(db)).toMatchObject({ proxied: 0, recorded: 0, gaps: [], isWitnessed: false });
  await keep(db, [rowOf([eventAt(1)])], [0, 1], after(5 * MINUTE_MS));
  expect(await reconcile(db, MINUTE, after(5 * MINUTE_MS))).toMatchObject({ isWitnessed: true });
  expect(await reconcile(db, MINUTE, after(6 * MINUTE_MS))).toMatchObject({ isWitnessed: false });
  expect(await reconcile(db, after(-MINUTE_MS), after(5 * MINUTE_MS))).toMatchObject({ isWitnessed: false });
  const next = { rows: [], files: [] };
  await keepWitness(db, { ...next, nodeId: 'edge-2', checkedUntil: after(4 * MINUTE_MS) });
  await keepWitness(db, { ...next, nodeId: 'edge-2', checkedUntil: after(9 * MINUTE_MS) });
  expect(await reconcile(db, MINUTE, after(9 * MINUTE_MS))).toMatchObject({ isWitnessed: true });
});

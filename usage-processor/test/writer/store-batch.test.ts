import { expect, test } from 'vitest';
import { usageEventFrom } from '../../src/usage-event.js';
import { judgeBatch, storeBatch } from '../../src/writer/store-batch.js';
import { anEndedRequest } from '../an-ended-request.js';

const NOW_MS = Date.parse('2026-11-23T10:00:00Z');
const outcome = usageEventFrom(anEndedRequest(), { path: 'full', identityNamespaces: ['envoy.filters.http.ext_authz'] });
const event = outcome.kind === 'event' ? outcome.event : undefined;
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

test('good and bad values are parted, and each bad one keeps its offset, its bytes and a reason', () => {
  const poison = [
    [Buffer.from([0xff, 0xfe]), 'not UTF-8'],
    [Buffer.from('{'), 'not JSON'],
    [Buffer.from(''), 'not JSON'],
    [bytes([]), 'not a JSON object'],
    [bytes({ ...event, v: 2 }), 'unknown version (v)'],
    [bytes({ ...event, units: -1 }), 'invalid units'],
    [bytes({ ...event, response_time_ms: null }), 'invalid response_time_ms'],
    [bytes({ ...event, path: 'a\0b' }), 'invalid path'],
    [bytes({ ...event, time: '2026-08-20T00:00:00.000000Z' }), 'too old (time)'],
    [bytes({ ...event, time: '9999-01-01T00:00:00.000000Z' }), 'too far ahead (time)'],
    [Buffer.alloc(65_537, ' '), 'too long'],
  ] as const;
  const values = [
    { offset: 0n, value: bytes(event) },
    ...poison.map(([value], index) => ({ offset: BigInt(index + 1), value })),
    { offset: 99n, value: bytes(event) },
  ];
  const place = { logId: 'log', topic: 'usage-events', partition: 0, startOffset: 0n, nextOffset: 100n };
  const judged = judgeBatch({ ...place, records: values }, NOW_MS);
  expect(judged).toMatchObject(place);
  expect(judged.events).toEqual([event, event]);
  expect(judged.deadLetters).toEqual(poison.map(([value, reason], index) => ({ offset: BigInt(index + 1), value, reason })));
});

test('a batch is counted only when it is kept', async () => {
  const batch = {
    logId: 'log',
    topic: 't',
    partition: 0,
    startOffset: 0n,
    nextOffset: 9n,
    records: [{ offset: 0n, value: bytes(event) }],
  };
  const counted: [string, number][] = [];
  const count = (stage: string, events: number) => counted.push([stage, events]);
  const seen: unknown[] = [];
  const saw = (events: readonly unknown[]) => seen.push(...events);
  const away = async () => {
    throw new Error('the database is away');
  };
  await expect(storeBatch(batch, NOW_MS, { store: away, count, saw })).rejects.toThrow('away');
  expect(counted).toEqual([]);
  expect(seen).toEqual([]);
  await storeBatch(batch, NOW_MS, { store: async () => ({ inserted: 1, duplicates: 2, deadLettered: 3 }), count, saw });
  expect(seen).toEqual([event]);
  expect(counted).toEqual([
    ['stored', 1],
    ['duplicate', 2],
    ['dead', 3],
  ]);
});

import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { type EventLogReader, type EventLogWriter, type LogBatch, OffsetOutOfRange } from '../src/event-log.js';
import { anEvent, eventsFrom } from './an-event.js';

/** One log of an implementation, empty at first. */
export interface EventLogUnderTest {
  openWriter(): Promise<EventLogWriter>;
  /** A reader of the same group each time, with batches of at most 10. */
  createReader(): EventLogReader;
  /** Puts these bytes at the end, past any check; no writer is open. */
  appendRaw(bytes: Buffer): Promise<void>;
  /** Throws the log away and makes a new one under the same name; nothing is open. */
  makeAnew(): Promise<void>;
  close(): Promise<void>;
}

const DEADLINE_MS = 15_000;

/** What stands for the database: rows and the offset, true together. */
function aStore() {
  const values: string[] = [];
  const batches: LogBatch[] = [];
  const offsets = new Map<string, bigint>();
  let rejections = 0;
  return {
    values,
    batches,
    offsets,
    rejectNext: (count: number) => {
      rejections = count;
    },
    findOffset: async (logId: string, topic: string, partition: number) => offsets.get(`${logId}/${topic}/${partition}`),
    store: async (batch: LogBatch) => {
      batches.push(batch);
      if (rejections > 0) {
        rejections -= 1;
        throw new Error('the database is away');
      }
      values.push(...batch.records.map(({ value }) => value.toString()));
      offsets.set(`${batch.logId}/${batch.topic}/${batch.partition}`, batch.nextOffset);
    },
  };
}

type Store = ReturnType<typeof aStore>;

async function readUntil(reader: EventLogReader, store: Store, count: number): Promise<void> {
  const run = reader.run(store.findOffset, store.store);
  await until(() => store.values.length >= count, DEADLINE_MS);
  await reader.close();
  await run;
}

const idsOf = (values: readonly string[]) => values.map((value) => Number.parseInt(JSON.parse(value).event_id, 16));
const numbers = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);

/** The promises of the seam, run on every implementation. */
export function eventLogBehaves(name: string, create: () => Promise<EventLogUnderTest>): void {
  const aLog = async () => {
    const log = await create();
    onTestFinished(() => log.close());
    return log;
  };
  const append = async (log: EventLogUnderTest, first: number, count: number) => {
    const writer = await log.openWriter();
    await writer.append(eventsFrom(first, count));
    await writer.close();
  };

  test(`${name}: events arrive whole and in the order of their appends`, async () => {
    const log = await aLog();
    const store = aStore();
    const writer = await log.openWriter();
    const appends = numbers(0, 20).map((index) => writer.append(eventsFrom(index * 5, 5)));
    await Promise.all(appends);
    await readUntil(log.createReader(), store, 100);
    await writer.close();
    expect(idsOf(store.values)).toEqual(numbers(0, 100));
    expect(JSON.parse(store.values[7] ?? '')).toMatchObject({ path: '/v1/orders/ü', request_id: 'request 7' });
  });

  test(`${name}: offsets grow and a batch ends where the next begins`, async () => {
    const log = await aLog();
    const store = aStore();
    await append(log, 0, 35);
    await readUntil(log.createReader(), store, 35);
    expect(store.batches.every((batch) => batch.records.length <= 10)).toBe(true);
    for (const [index, batch] of store.batches.entries()) {
      expect(batch.records[0]?.offset).toBe(batch.startOffset);
      expect(batch.nextOffset).toBeGreaterThan(batch.startOffset);
      if (index > 0) expect(batch.startOffset).toBe(store.batches[index - 1]?.nextOffset);
    }
  });

  test(`${name}: a reader that waits sees what is appended later`, async () => {
    const log = await aLog();
    const store = aStore();
    const writer = await log.openWriter();
    const reader = log.createReader();
    const run = reader.run(store.findOffset, store.store);
    for (const first of [0, 10, 20]) {
      await writer.append(eventsFrom(first, 10));
      await until(() => store.values.length === first + 10, DEADLINE_MS);
    }
    await reader.close();
    await run;
    await writer.close();
    expect(idsOf(store.values)).toEqual(numbers(0, 30));
  });

  test(`${name}: a batch whose store rejects comes again, and nothing after it comes first`, async () => {
    const log = await aLog();
    const store = aStore();
    await append(log, 0, 25);
    store.rejectNext(2);
    await readUntil(log.createReader(), store, 25);
    expect(store.batches.slice(0, 3).map((batch) => batch.startOffset)).toEqual(Array(3).fill(store.batches[0]?.startOffset));
    expect(idsOf(store.values)).toEqual(numbers(0, 25));
  });

  test(`${name}: a store that committed and then rejected is not repeated`, async () => {
    const log = await aLog();
    const store = aStore();
    await append(log, 0, 20);
    let isFirst = true;
    const reader = log.createReader();
    const run = reader.run(store.findOffset, async (batch) => {
      await store.store(batch);
      if (isFirst) {
        isFirst = false;
        throw new Error('the connection broke after COMMIT');
      }
    });
    await until(() => store.values.length >= 20, DEADLINE_MS);
    await reader.close();
    await run;
    expect(idsOf(store.values)).toEqual(numbers(0, 20));
  });

  test(`${name}: reading waits while the offset cannot be found`, async () => {
    const log = await aLog();
    const store = aStore();
    await append(log, 0, 5);
    let failures = 2;
    const reader = log.createReader();
    const run = reader.run(async (...where) => {
      if (failures-- > 0) throw new Error('the database is away');
      return store.findOffset(...where);
    }, store.store);
    await until(() => store.values.length === 5, DEADLINE_MS);
    await reader.close();
    await run;
  });

  test(`${name}: a new reader goes on at the stored offset`, async () => {
    const log = await aLog();
    const store = aStore();
    await append(log, 0, 15);
    await readUntil(log.createReader(), store, 15);
    await append(log, 15, 15);
    await readUntil(log.createReader(), store, 30);
    expect(idsOf(store.values)).toEqual(numbers(0, 30));
  });

  test(`${name}: without an offset reading starts at the beginning`, async () => {
    const log = await aLog();
    await append(log, 0, 15);
    await readUntil(log.createReader(), aStore(), 15);
    const fresh = aStore();
    await readUntil(log.createReader(), fresh, 15);
    expect(idsOf(fresh.values)).toEqual(numbers(0, 15));
  });

  test(`${name}: a log made anew has another id and is read from its beginning`, async () => {
    const log = await aLog();
    const store = aStore();
    await append(log, 0, 15);
    await readUntil(log.createReader(), store, 15);
    await log.makeAnew();
    await append(log, 100, 5);
    await readUntil(log.createReader(), store, 20);
    expect(idsOf(store.values).slice(15)).toEqual(numbers(100, 5));
    expect(new Set(store.batches.map((batch) => batch.logId)).size).toBe(2);
  });

  test(`${name}: an offset past the end is an error and not a silent wait`, async () => {
    const log = await aLog();
    await append(log, 0, 5);
    const run = log.createReader().run(
      async () => 1_000_000n,
      async () => {},
    );
    await expect(run).rejects.toThrow(OffsetOutOfRange);
  });

  test(`${name}: poison is delivered as it is, between its neighbours`, async () => {
    const log = await aLog();
    const store = aStore();
    const poison = Buffer.from([0xff, 0x00, 0x7b, 0x22, 0x00, 0x00, 0x00, 0x02]);
    await append(log, 0, 3);
    await log.appendRaw(poison);
    await append(log, 3, 3);
    await readUntil(log.createReader(), store, 7);
    const records = store.batches.flatMap((batch) => batch.records);
    expect(records[3]?.value.equals(poison)).toBe(true);
    expect(idsOf(store.values.toSpliced(3, 1))).toEqual(numbers(0, 6));
  });

  test(`${name}: lag counts what waits, and caughtUp waits for all that was there`, async () => {
    const log = await aLog();
    const store = aStore();
    await append(log, 0, 50);
    store.rejectNext(1);
    const reader = log.createReader();
    const run = reader.run(store.findOffset, store.store);
    await until(() => reader.lag() > 0, DEADLINE_MS);
    await reader.caughtUp();
    expect(store.values.length).toBe(50);
    expect(reader.lag()).toBe(0);
    await reader.close();
    await run;
  });

  test(`${name}: close waits for the store under way and ends the run`, async () => {
    const log = await aLog();
    await append(log, 0, 30);
    const reader = log.createReader();
    let release = () => {};
    let stores = 0;
    let finished = 0;
    const run = reader.run(
      async () => undefined,
      async () => {
        stores += 1;
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        finished += 1;
      },
    );
    await until(() => stores === 1, DEADLINE_MS);
    const closed = reader.close();
    release();
    await closed;
    await run;
    expect({ stores, finished }).toEqual({ stores: 1, finished: 1 });
  });

  test(`${name}: a closed writer takes nothing more`, async () => {
    const log = await aLog();
    const writer = await log.openWriter();
    await writer.close();
    await expect(writer.append([anEvent(1)])).rejects.toThrow('closed');
  });
}

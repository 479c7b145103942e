import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { EventLogFull } from '../../src/event-log.js';
import { openSpoolingEventLogWriter, type SpoolingOptions } from '../../src/spooling-event-log-writer.js';
import { anEvent, eventsFrom } from '../an-event.js';

type Log = SpoolingOptions['log'];

/** A log whose answers a test gives, for the orders of events that no real one shows on demand. */
function aLog() {
  const values: number[] = [];
  const waiting: { numbers: number[]; resolve: () => void; reject: (error: Error) => void }[] = [];
  let state: 'takes' | 'refuses' | 'is silent' = 'takes';
  let isClosed = false;
  const take = (numbers: number[]): Promise<void> => {
    if (isClosed) return Promise.reject(new Error('closed'));
    if (state === 'refuses') return Promise.reject(new Error('away'));
    if (state === 'is silent') return new Promise((resolve, reject) => waiting.push({ numbers, resolve, reject }));
    values.push(...numbers);
    return Promise.resolve();
  };
  const log: Log = {
    append: (events) => take(events.map(numberOf)),
    appendRaw: (raw) => take(raw.map((value) => numberOf(JSON.parse(value.toString())))),
    close: async () => {
      isClosed = true;
      for (const { reject } of waiting.splice(0)) reject(new Error('closed'));
    },
  };
  return {
    log,
    values,
    become: (next: typeof state) => {
      state = next;
    },
    refuseAll: () => {
      for (const { reject } of waiting.splice(0)) reject(new Error('away'));
    },
  };
}

const numberOf = ({ event_id }: UsageEvent) => Number.parseInt(event_id, 16);
const numbers = (count: number) => Array.from({ length: count }, (_, number) => number);

async function aFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'spool-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function aSpool(options: Partial<SpoolingOptions> & { log: Log }) {
  const counts = { produced: 0, spooled: 0 };
  const writer = await openSpoolingEventLogWriter({
    folder: await aFolder(),
    count: (stage, events) => {
      counts[stage] += events;
    },
    ...options,
  });
  onTestFinished(() => writer.close());
  return { writer, counts };
}

test('while the log takes events nothing goes to the spool', async () => {
  const { log, values } = aLog();
  const { writer, counts } = await aSpool({ log });
  await writer.append(eventsFrom(0, 3));
  expect(writer.depth()).toEqual({ bytes: 0, events: 0, share: 0, reason: undefined });
  expect([values, counts]).toEqual([numbers(3), { produced: 3, spooled: 0 }]);
});

test('what a log that is away refuses arrives when it is back, in order and ahead of what came later', async () => {
  const remote = aLog();
  const { writer, counts } = await aSpool({ log: remote.log });
  await writer.append([anEvent(0)]);
  remote.become('refuses');
  for (const number of [1, 2, 3]) await writer.append([anEvent(number)]);
  expect(writer.depth()).toMatchObject({ events: 3, reason: 'away' });
  remote.become('takes');
  await writer.append([anEvent(4)]);
  await until(() => writer.depth().reason === undefined);
  await writer.append([anEvent(5)]);
  expect(remote.values).toEqual(numbers(6));
  expect(counts).toEqual({ produced: 6, spooled: 4 });
  expect(writer.depth().bytes).toBe(0);
});

test('appends that wait for a silent log keep their order when it is given up, and stay ahead of what comes then', async () => {
  const remote = aLog();
  const { writer } = await aSpool({ log: remote.log });
  remote.become('is silent');
  const waiting = [0, 1, 2].map((number) => writer.append([anEvent(number)]));
  remote.become('refuses');
  remote.refuseAll();
  await until(() => writer.depth().reason === 'away');
  await Promise.all([...waiting, writer.append([anEvent(3)])]);
  remote.become('takes');
  await until(() => writer.depth().reason === undefined);
  expect(remote.values).toEqual(numbers(4));
});

test('a full spool refuses events by name and takes them again when it is drained', async () => {
  const remote = aLog();
  remote.become('refuses');
  const { writer } = await aSpool({ log: remote.log, maxBytes: 20_000 });
  let kept = 0;
  const fill = async () => {
    for (;;) {
      await writer.append([anEvent(kept)]);
      kept += 1;
    }
  };
  await expect(fill()).rejects.toThrow(EventLogFull);
  expect(writer.depth().share).toBeGreaterThan(0.9);
  expect(writer.depth().share).toBeLessThanOrEqual(1);
  remote.become('takes');
  await until(() => writer.depth().reason === undefined);
  await writer.append([anEvent(kept)]);
  expect(remote.values).toEqual(numbers(kept + 1));
});

test('what a stop leaves in the spool is drained after the next start, before new events', async () => {
  const folder = await aFolder();
  const away = aLog();
  away.become('refuses');
  const first = await openSpoolingEventLogWriter({ folder, log: away.log });
  await first.append(eventsFrom(0, 1500));
  await first.close();

  const back = aLog();
  const { writer } = await aSpool({ folder, log: back.log });
  expect(writer.depth().reason).toBe('an earlier process left events in the spool');
  await writer.append([anEvent(1500)]);
  await until(() => writer.depth().reason === undefined);
  expect(back.values).toEqual(numbers(1501));
});

test('closing puts what the log did not take into the spool, and takes nothing more', async () => {
  const folder = await aFolder();
  const silent = aLog();
  silent.become('is silent');
  const first = await openSpoolingEventLogWriter({ folder, log: silent.log });
  const waiting = first.append(eventsFrom(0, 4));
  await first.close();
  await waiting;
  await expect(first.append([anEvent(4)])).rejects.toThrow('closed');

  const back = aLog();
  const { writer } = await aSpool({ folder, log: back.log });
  await until(() => writer.depth().reason === undefined);
  expect(back.values).toEqual(numbers(4));
});

test('closing waits a moment for a spool that is being drained', async () => {
  const remote = aLog();
  remote.become('refuses');
  const { writer } = await aSpool({ log: remote.log });
  await writer.append(eventsFrom(0, 5000));
  remote.become('takes');
  await until(() => remote.values.length > 0);
  await writer.close();
  expect(remote.values).toEqual(numbers(5000));
});

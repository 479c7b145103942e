import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import { EventLogFull, type EventLogWriter } from '@tollgate/event-log/event-log';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { readConfig } from '../../src/collector/config.js';
import { startCollector } from '../../src/collector/service.js';
import { openAccessLogStream } from './access-log-client.js';
import { aMessage, anEntry } from './an-entry.js';

function anEventLog() {
  const events: UsageEvent[] = [];
  let failures = 0;
  let isClosed = false;
  const writer: EventLogWriter = {
    append: async (appended) => {
      if (failures > 0) {
        failures -= 1;
        throw new EventLogFull('no room');
      }
      events.push(...appended);
    },
    close: async () => {
      isClosed = true;
    },
  };
  return {
    writer,
    events,
    isClosed: () => isClosed,
    failNext: (count: number) => {
      failures = count;
    },
  };
}

async function aCollector(eventLog = anEventLog()) {
  const folder = await mkdtemp(join(tmpdir(), 'collector-'));
  const config = readConfig({
    COLLECTOR_LISTEN: `unix:${join(folder, 'collector.sock')}`,
    ADMIN_LISTEN: '127.0.0.1:0',
    DATA_DIR: folder,
    LOG_LEVEL: 'silent',
  });
  const collector = await startCollector(config, { eventLog: eventLog.writer });
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= collector.close();
    return closing;
  };
  const stream = openAccessLogStream(collector.address);
  onTestFinished(async () => {
    stream.close();
    await close();
    await rm(folder, { recursive: true, force: true });
  });
  const page = async (path: string) => fetch(`http://${collector.adminAddress}${path}`);
  return { stream, eventLog, close, page, metrics: async () => (await page('/metrics')).text() };
}

test('every message of a stream is counted under the node that its first message named', async () => {
  const { stream, eventLog } = await aCollector();
  stream.write(aMessage([anEntry({ streamId: 'a' }), anEntry({ streamId: 'b' })], 'edge-1'));
  stream.write(aMessage([anEntry({ streamId: 'c' })]));
  await stream.end();
  expect(eventLog.events.map((event) => event.request_id)).toEqual(['a', 'b', 'c']);
  const alone = await aCollector();
  alone.stream.write(aMessage([anEntry({ streamId: 'c' })], 'edge-1'));
  await alone.stream.end();
  expect(alone.eventLog.events[0]?.event_id).toBe(eventLog.events[2]?.event_id);
});

test('events are in the event log while the stream goes on', async () => {
  const { stream, eventLog } = await aCollector();
  stream.write(aMessage([anEntry()], 'edge-1'));
  await until(() => eventLog.events.length === 1);
  await stream.end();
});

test('a stream that names no node is refused and its entries are counted', async () => {
  const { stream, eventLog, metrics } = await aCollector();
  stream.write(aMessage([anEntry(), anEntry()]));
  await expect(stream.end()).rejects.toMatchObject({ code: 3 });
  expect(eventLog.events).toEqual([]);
  expect(await metrics()).toMatch(/tollgate_usage_events_total\{stage="refused".*\} 2\n/);
});

test('what is no usage, refused or without a limiter is counted and does not stop the rest', async () => {
  const { stream, eventLog, metrics } = await aCollector();
  const entries = [
    anEntry({ metadata: {} }),
    anEntry({ streamId: '' }),
    { commonProperties: undefined, request: undefined, response: undefined },
    anEntry({ streamId: 'good' }),
  ];
  stream.write(aMessage(entries, 'edge-1'));
  await stream.end();
  expect(eventLog.events.map((event) => event.request_id)).toEqual(['good']);
  const text = await metrics();
  for (const [stage, count] of Object.entries({ received: 4, not_usage: 2, refused: 1, unlimited: 0, produced: 1 })) {
    expect(text).toMatch(new RegExp(`tollgate_usage_events_total\\{stage="${stage}".*\\} ${count}\n`));
  }
});

test('a message of twice Envoy’s buffer is taken in whole', async () => {
  const { stream, eventLog } = await aCollector();
  const message = aMessage(
    Array.from({ length: 16_000 }, (_, index) => anEntry({ streamId: `stream ${index}`, path: `/${'x'.repeat(150)}` })),
    'edge-1',
  );
  expect(message.length).toBeGreaterThan(6 << 20);
  stream.write(message);
  await stream.end();
  expect(eventLog.events).toHaveLength(16_000);
});

test('events that the event log refuses are kept and tried again, and readiness tells', async () => {
  const eventLog = anEventLog();
  const { stream, page, metrics } = await aCollector(eventLog);
  eventLog.failNext(3);
  stream.write(aMessage([anEntry({ streamId: 'first' })], 'edge-1'));
  stream.write(aMessage([anEntry({ streamId: 'second' })]));
  await until(async () => (await page('/health/ready')).status === 503);
  await stream.end();
  expect(eventLog.events.map((event) => event.request_id)).toEqual(['first', 'second']);
  expect(await metrics()).toMatch(/tollgate_usage_append_failures_total\S* 3\n/);
  await until(async () => (await page('/health/ready')).status === 200);
});

test('closing lets an open stream’s last message into the event log and leaves a log that was brought open', async () => {
  const { stream, eventLog, close } = await aCollector();
  stream.write(aMessage([anEntry()], 'edge-1'));
  await until(() => eventLog.events.length === 1);
  stream.write(aMessage([anEntry({ streamId: 'last' })]));
  const closed = close();
  await stream.end().catch(() => {});
  await closed;
  expect(eventLog.events).toHaveLength(2);
  expect(eventLog.isClosed()).toBe(false);
});

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { readKafkaTopics } from '@tollgate/event-log/kafka/kafka-topics';
import { startKafkaCluster } from '@tollgate/testing/kafka-cluster';
import { until } from '@tollgate/testing/until';
import { expect, test } from 'vitest';
import { randomOf } from '../test/fuzz/random.js';
import { openAccessLogStream } from '../usage-processor/test/collector/access-log-client.js';
import { aMessage } from '../usage-processor/test/collector/an-entry.js';
import { NODE_ID } from './exactly-once/delivery.js';
import { anEndedCall, type EndedCall, entryOf, expectedOf } from './exactly-once/ended-calls.js';
import { differences, NO_DIFFERENCE, watchOffsets } from './exactly-once/ledger.js';
import { type Pipeline, startPipeline, TOPIC } from './exactly-once/pipeline.js';

/** By hand on a calm machine: `BROKER_KILLS=10 npx vitest run e2e/kafka-brokers.test.ts`; no stall is longer than 15 s then. */
const KILLS = Number(process.env['BROKER_KILLS'] ?? 1);
const SEED = Number(process.env['BROKER_KILLS_SEED'] ?? Date.now() % 2 ** 31);
const PER_SECOND = 1_000;
/** As Envoy flushes. */
const FLUSH_MS = 200;
const LOOK_MS = 50;
const CAUGHT_UP_DEADLINE_MS = 120_000;
const ORGANIZATIONS = Array.from({ length: 40 }, () => randomUUID());

test('whichever of three brokers is killed, each event is stored exactly once', {
  timeout: 240_000 + KILLS * 60_000,
}, async () => {
  console.info(`${KILLS} kills, BROKER_KILLS_SEED=${SEED}`);
  const pipeline = await startPipeline({ writers: 2, kafka: startKafkaCluster });
  try {
    await pipeline.makeTopic();
    await watchOffsets(pipeline);
    await Promise.all([pipeline.collector.start(), ...pipeline.writers.map((writer) => writer.start())]);
    const load = startLoad(pipeline.collectorAddress);
    const stall = watchStall(pipeline);
    const random = randomOf(SEED, 0);
    for (let i = 0; i < KILLS; i++) {
      await delay(1000 + random.below(2000));
      await pipeline.kafka.kill();
      await delay(random.below(5000));
      await pipeline.kafka.start();
      await until(() => hasCaughtUp(pipeline), CAUGHT_UP_DEADLINE_MS, 'all replicas');
    }
    const calls = await load.stop();
    await pipeline.drained(CAUGHT_UP_DEADLINE_MS);
    console.info(`${calls.length} events; for at most ${await stall.longestMs()} ms none was acknowledged by Kafka`);
    const expected = calls.map((call) => expectedOf(call, NODE_ID));
    expect(calls.length).toBeGreaterThan(PER_SECOND);
    expect(await differences(pipeline, expected)).toEqual(NO_DIFFERENCE);
  } finally {
    await pipeline.close();
  }
});

async function hasCaughtUp({ kafka }: Pipeline): Promise<boolean> {
  const [state] = await readKafkaTopics(kafka, [TOPIC]);
  return state?.inSyncReplicas === kafka.brokers.length;
}

/** One open stream, as of an Envoy: what ended in the last 200 ms is told, whatever happens behind. */
function startLoad(address: string): { stop(): Promise<EndedCall[]> } {
  const random = randomOf(SEED, 1);
  const stream = openAccessLogStream(address);
  const calls: EndedCall[] = [];
  const startMs = performance.now();
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startMs) * PER_SECOND) / 1000) - calls.length;
    const ended = Array.from({ length: due }, (_, i) => anEndedCall(random, calls.length + i, ORGANIZATIONS, Date.now()));
    if (due > 0) stream.write(aMessage(ended.map(entryOf), NODE_ID));
    calls.push(...ended);
  }, FLUSH_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      await stream.end();
      stream.close();
      return calls;
    },
  };
}

/** Looks how many events Kafka has acknowledged, until it is asked for the longest time in which none was. */
function watchStall({ collector }: Pipeline): { longestMs(): Promise<number> } {
  let [isOver, longestMs, produced] = [false, 0, 0];
  const watching = (async () => {
    let lastMs: number | undefined;
    while (!isOver) {
      // Where it is gone the test has failed, and says so itself.
      const now = await collector.metric('tollgate_usage_events_total{stage="produced"').catch(() => 0);
      if (now > produced) {
        longestMs = Math.max(longestMs, performance.now() - (lastMs ?? performance.now()));
        [produced, lastMs] = [now, performance.now()];
      }
      await delay(LOOK_MS);
    }
  })();
  return {
    longestMs: async () => {
      isOver = true;
      await watching;
      return Math.round(longestMs);
    },
  };
}

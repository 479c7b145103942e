import { setTimeout as pause } from 'node:timers/promises';
import { type EventLogReader, type FindOffset, type LogBatch, OffsetOutOfRange } from '../event-log.js';
import { explained } from './explain-failure.js';
import { openKafka } from './kafka-client.js';
import { createPlaces, type Places } from './places.js';
import { FIRST_PAUSE_MS, type KafkaEventLogReaderOptions, type ReaderSettings } from './reading-needs.js';
import { readForAWhile } from './reading-session.js';
import { createTopicQuestions, type TopicQuestions } from './topic-questions.js';

const DEFAULTS = { maxBatch: 5000, maxConcurrent: 2, maxPauseMs: 5000, sessionMs: 10_000, onProblem: () => {} };
const REQUEST_TIMEOUT_MS = 10_000;
const LOOK_AGAIN_MS = 20;

/**
 * Reads a topic as a member of a group. Kafka only deals out the partitions: where reading goes on is what `findOffset`
 * says. What is stored is told to Kafka now and then all the same, for tools that show the lag of a group. Trouble with
 * Kafka is waited out for ever; `caughtUp` and `lag` are about the partitions that this reader has.
 */
export function createKafkaEventLogReader(options: KafkaEventLogReaderOptions): EventLogReader {
  const settings: ReaderSettings = { ...DEFAULTS, ...options };
  const kafka = openKafka(settings.connection, REQUEST_TIMEOUT_MS);
  const questions = createTopicQuestions(kafka, settings.topic, REQUEST_TIMEOUT_MS);
  const closing = new AbortController();
  const rest = (ms: number) => pause(ms, undefined, { signal: closing.signal }).catch(() => {});
  const places = createPlaces();
  let running: Promise<void> | undefined;
  let hasEnded = false;

  const run = async (findOffset: FindOffset, store: (batch: LogBatch) => Promise<void>) => {
    const needs = { settings, kafka, questions, places, closing: closing.signal, rest, findOffset, store };
    let pauseMs = FIRST_PAUSE_MS;
    const wentWell = () => {
      pauseMs = FIRST_PAUSE_MS;
    };
    try {
      while (!closing.signal.aborted) {
        try {
          await readForAWhile({ ...needs, wentWell });
        } catch (error) {
          if (error instanceof OffsetOutOfRange) throw error;
          settings.onProblem(`reading Kafka goes on in ${pauseMs} ms`, explained(error));
          await rest(pauseMs);
          pauseMs = Math.min(pauseMs * 2, settings.maxPauseMs);
        }
      }
    } finally {
      hasEnded = true;
      await questions.close();
    }
  };

  return {
    run: (findOffset, store) => {
      running ??= run(findOffset, store);
      return running;
    },
    lag: places.lag,
    caughtUp: async () => {
      const isEnding = () => hasEnded || closing.signal.aborted;
      const goal = await untilTold(questions, isEnding, rest);
      while (!hasReached(places, goal)) {
        if (isEnding()) throw new Error('reading ended before it caught up');
        await rest(LOOK_AGAIN_MS);
      }
    },
    close: async () => {
      closing.abort();
      await running?.catch(() => {});
    },
  };
}

async function untilTold(questions: TopicQuestions, isEnding: () => boolean, rest: (ms: number) => Promise<void>) {
  for (;;) {
    if (isEnding()) throw new Error('reading ended before it caught up');
    try {
      return await questions.ranges();
    } catch {
      await rest(FIRST_PAUSE_MS);
    }
  }
}

function hasReached(places: Places, goal: Awaited<ReturnType<TopicQuestions['ranges']>>): boolean {
  return places.all()?.every(({ partition, position }) => position >= (goal.get(partition)?.high ?? 0n)) ?? false;
}

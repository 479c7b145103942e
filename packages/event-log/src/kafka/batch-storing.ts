import type { Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs';
import type { LogRecord } from '../event-log.js';
import { findStored } from './assignment.js';
import type { Place } from './places.js';
import { requireInRange, requireSameTopic } from './range.js';
import { FIRST_PAUSE_MS, type ReadingNeeds } from './reading-needs.js';

/** How often Kafka hears of a member whose batch is being stored; it is told less often where that suffices. */
const BEAT_MS = 1000;

/** Takes what kafkajs fetched, and hands it on in order, whole and once for each place. */
export function createBatchStoring(
  needs: ReadingNeeds,
  member: { consumer: Consumer; logId(): string | undefined; fail(error: unknown): void },
) {
  const { settings, questions, places, closing } = needs;
  const underWay = new Set<Promise<void>>();

  const storeBatch = async (payload: EachBatchPayload): Promise<void> => {
    const { batch, isRunning, isStale, resolveOffset } = payload;
    const logId = member.logId();
    const place = places.of(batch.partition);
    const isOver = () => closing.aborted || !isRunning() || isStale() || places.of(batch.partition) !== place;
    if (place === undefined || logId === undefined || isOver()) return;
    if (!(await isAtPlace(place, logId, batch.messages))) return;
    // Asked after the fetch: offsets that fit by chance in a topic that was deleted and made again would be taken for its own.
    await requireSameTopic(needs, logId);
    place.high = larger(place.high, BigInt(batch.highWatermark));
    for (let from = 0; from < batch.messages.length; from += settings.maxBatch) {
      if (isOver()) return;
      const piece = batch.messages.slice(from, from + settings.maxBatch);
      if (!(await storePiece(payload, place, logId, piece))) return;
      resolveOffset(String(place.position - 1n));
    }
  };

  /** False where these records are not what comes next: then it is fetched again from the right place. */
  const isAtPlace = async (place: Place, logId: string, messages: readonly KafkaMessage[]): Promise<boolean> => {
    const first = BigInt(messages[0]?.offset ?? -1);
    if (first === place.position || (first > place.position && first === place.holeEnd)) return true;
    place.holeEnd = first;
    // kafkajs goes on somewhere else by itself where the offset is gone.
    const range = (await questions.ranges()).get(place.partition);
    await requireInRange(needs, { logId, partition: place.partition, offset: place.position }, range);
    seek(place);
    return false;
  };

  const seek = ({ partition, position }: Place) =>
    member.consumer.seek({ topic: settings.topic, partition, offset: String(position) });

  const storePiece = async (
    { heartbeat }: EachBatchPayload,
    place: Place,
    logId: string,
    messages: readonly KafkaMessage[],
  ): Promise<boolean> => {
    const records = messages.map(recordOf);
    const startOffset = place.position;
    const nextOffset = (records.at(-1)?.offset ?? startOffset) + 1n;
    const { topic } = settings;
    try {
      await beating(heartbeat, needs.store({ logId, topic, partition: place.partition, records, startOffset, nextOffset }));
    } catch (error) {
      if (error instanceof LostMembership) throw error.cause;
      await beating(heartbeat, findPlaceAgain(place, logId, error));
      return false;
    }
    place.position = nextOffset;
    place.pauseMs = FIRST_PAUSE_MS;
    return true;
  };

  const findPlaceAgain = async (place: Place, logId: string, error: unknown): Promise<void> => {
    settings.onProblem(`reading partition ${place.partition} goes on in ${place.pauseMs} ms`, error);
    await needs.rest(place.pauseMs);
    place.pauseMs = Math.min(place.pauseMs * 2, settings.maxPauseMs);
    const isCurrent = () => !closing.aborted && places.of(place.partition) === place;
    const stored = await findStored(needs, logId, place.partition, isCurrent);
    if (!isCurrent()) return;
    const range = (await questions.ranges()).get(place.partition);
    if (stored !== undefined) await requireInRange(needs, { logId, partition: place.partition, offset: stored }, range);
    place.position = stored ?? range?.low ?? 0n;
    seek(place);
  };

  return {
    eachBatch: async (payload: EachBatchPayload): Promise<void> => {
      // A failure of ours ends the session; only what Kafka says about our membership is for kafkajs to act upon.
      const stored = storeBatch(payload);
      const settled = stored.then(
        () => {},
        () => {},
      );
      underWay.add(settled);
      void settled.then(() => underWay.delete(settled));
      await stored.catch((error: unknown) => {
        if (isOfKafka(error)) throw error;
        member.fail(error);
      });
    },
    idle: async () => {
      await Promise.all(underWay);
    },
  };
}

/** Kafka has given our partitions away, or does not answer: the cause is for kafkajs. */
class LostMembership extends Error {}

/** Settles like the work, with heartbeats meanwhile. Where one failed, throws LostMembership although the work was done. */
async function beating(heartbeat: () => Promise<void>, work: Promise<void>): Promise<void> {
  let lost: unknown;
  const beat = setInterval(() => {
    heartbeat().catch((error: unknown) => {
      lost ??= error;
    });
  }, BEAT_MS);
  try {
    await work;
  } finally {
    clearInterval(beat);
  }
  if (lost !== undefined) throw new LostMembership('a heartbeat failed', { cause: lost });
}

function isOfKafka(error: unknown): boolean {
  return error instanceof Error && error.name.startsWith('KafkaJS');
}

function recordOf({ offset, value }: KafkaMessage): LogRecord {
  return { offset: BigInt(offset), value: value ?? Buffer.alloc(0) };
}

function larger(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}

import { withDeadline } from '@tollgate/service-kit/deadline';
import type { Consumer, EachBatchPayload } from 'kafkajs';
import { takePlaces } from './assignment.js';
import { createBatchStoring } from './batch-storing.js';
import { FEW_RETRIES } from './kafka-client.js';
import { requireInRange, TopicMadeAnew } from './range.js';
import type { ReaderSettings, ReadingNeeds } from './reading-needs.js';

/**
 * Large, since a fetch costs a round trip, and bounded: fetched records are several times as large in memory. With room for 16
 * partitions none of the usual 12 is left out of a fetch, where it would stand still until chance lets it in.
 */
const FETCH = { maxBytesPerPartition: 512 << 10, maxBytes: 8 << 20, minBytes: 1, maxWaitTimeInMs: 250 };
const HEARTBEAT_MS = 3000;
const LOOK_AROUND_MS = 5000;
const TELL_KAFKA_MS = 1000;
const LEAVE_DEADLINE_MS = 5000;

/**
 * Reads as a new member of the group until the reader closes. Rejects at the first trouble that this member does not get
 * over, and with OffsetOutOfRange. kafkajs would go on by itself, from an offset of its own choice: it is never let.
 */
export async function readForAWhile(needs: ReadingNeeds): Promise<void> {
  const { settings, kafka, places, closing } = needs;
  const consumer = kafka.consumer({
    ...FETCH,
    groupId: settings.group,
    sessionTimeout: settings.sessionMs,
    heartbeatInterval: Math.min(HEARTBEAT_MS, settings.sessionMs / 3),
    allowAutoTopicCreation: false,
    retry: { ...FEW_RETRIES, restartOnFailure: async () => false },
  });
  const ending = createEnding(closing);
  const member = createMember(needs, consumer, ending.fail);
  consumer.on(consumer.events.CRASH, ({ payload }) => ending.fail(payload.error));
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => member.join(payload.memberAssignment[settings.topic] ?? []));
  const lookAround = setInterval(() => void member.lookAround(), LOOK_AROUND_MS);
  const tellKafka = setInterval(() => void member.tellKafka(), TELL_KAFKA_MS);
  try {
    start(consumer, settings, member.eachBatch).catch(ending.fail);
    await ending.ended;
  } finally {
    clearInterval(lookAround);
    clearInterval(tellKafka);
    ending.forget();
    if (!closing.aborted) places.replace(undefined);
    await member.idle();
    if (closing.aborted) await withDeadline(member.tellKafka(), LEAVE_DEADLINE_MS, 'telling Kafka').catch(() => {});
    member.leave();
    await withDeadline(consumer.disconnect(), LEAVE_DEADLINE_MS, 'leaving the group').catch(() => {});
  }
}

async function start(
  consumer: Consumer,
  { topic, maxConcurrent }: ReaderSettings,
  eachBatch: (payload: EachBatchPayload) => Promise<void>,
): Promise<void> {
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: maxConcurrent,
    eachBatch,
  });
}

/** Resolves when the reader closes, rejects with the first failure. */
function createEnding(closing: AbortSignal) {
  let settle: () => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const ended = new Promise<void>((resolve, reject) => {
    settle = resolve;
    fail = reject;
  });
  closing.addEventListener('abort', settle, { once: true });
  if (closing.aborted) settle();
  return { ended, fail, forget: () => closing.removeEventListener('abort', settle) };
}

/** This reader as a member of the group, with the partitions that it was dealt last. */
function createMember(needs: ReadingNeeds, consumer: Consumer, fail: (error: unknown) => void) {
  const { settings, questions, places, closing } = needs;
  const { topic } = settings;
  /** Counts assignments: what was begun for an earlier one has no say any more. */
  let turn = 0;
  let hasLeft = false;
  let logId: string | undefined;
  let told = '';
  const storing = createBatchStoring(needs, { consumer, logId: () => logId, fail });

  /** Called by kafkajs before it fetches anything of the assignment. */
  const join = (partitions: number[]) => {
    if (hasLeft) return;
    turn += 1;
    const mine = turn;
    places.replace(undefined);
    logId = undefined;
    consumer.pause([{ topic, partitions }]);
    void takePlaces(needs, partitions, () => mine === turn && !closing.aborted)
      .then((taken) => {
        if (taken === undefined || mine !== turn) return;
        logId = taken.logId;
        places.replace(taken.places);
        for (const { partition, position } of taken.places) consumer.seek({ topic, partition, offset: String(position) });
        consumer.resume([{ topic, partitions }]);
        needs.wentWell();
      })
      .catch(fail);
  };
  /** For the lag of partitions that are not read at the moment, and for a log that was made anew and is empty. */
  const lookAround = async () => {
    const mine = turn;
    const looked = await Promise.all([questions.ranges(), questions.facts()]).catch(() => undefined);
    const read = logId;
    if (looked === undefined || mine !== turn || read === undefined) return;
    const [ranges, { id }] = looked;
    if (id !== read) return fail(new TopicMadeAnew(`the topic ${topic} was made anew`));
    for (const place of places.all() ?? []) {
      const { partition, position: offset } = place;
      const range = ranges.get(partition);
      if (range !== undefined && range.high > place.high) place.high = range.high;
      await requireInRange(needs, { logId: read, partition, offset }, range).catch(fail);
    }
  };
  const tellKafka = async () => {
    const known = (places.all() ?? []).map(({ partition, position }) => ({ topic, partition, offset: String(position) }));
    const line = JSON.stringify(known);
    if (known.length === 0 || line === told) return;
    // Nothing depends on it: a member that was just replaced may not, and the next word comes soon.
    await consumer.commitOffsets(known).then(
      () => {
        told = line;
      },
      () => {},
    );
  };
  return {
    join,
    lookAround,
    tellKafka,
    eachBatch: storing.eachBatch,
    /** Resolves when no batch is under way. */
    idle: storing.idle,
    /** kafkajs may come back to life when Kafka does. */
    leave: () => {
      hasLeft = true;
      turn += 1;
    },
  };
}

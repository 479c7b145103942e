import { OffsetOutOfRange } from '../event-log.js';
import type { ReadingNeeds } from './reading-needs.js';
import type { PartitionRange } from './topic-questions.js';

/** A leader that has only just become one may know less of the end than there is: it is asked so often. */
const LOOKS = 6;
const LOOK_AGAIN_MS = 500;

/**
 * Throws OffsetOutOfRange where the partition does not hold this offset and is not about to receive it next, and
 * {@link TopicMadeAnew} where that is so because another topic has got the name.
 */
export async function requireInRange(
  needs: ReadingNeeds,
  { logId, partition, offset }: { logId: string; partition: number; offset: bigint },
  known: PartitionRange | undefined,
): Promise<void> {
  let range = known;
  for (let look = 1; range === undefined || offset < range.low || offset > range.high; look += 1) {
    if (look > LOOKS || (range !== undefined && offset < range.low)) {
      await requireSameTopic(needs, logId);
      throw outOfRange(needs.settings.topic, partition, offset, range);
    }
    await needs.rest(LOOK_AGAIN_MS);
    if (needs.closing.aborted) return;
    range = (await needs.questions.ranges()).get(partition);
  }
}

/** The topic was deleted and made again: its offsets have another meaning, and reading begins anew. */
export class TopicMadeAnew extends Error {}

export async function requireSameTopic({ settings, questions }: ReadingNeeds, logId: string): Promise<void> {
  if ((await questions.facts()).id !== logId) throw new TopicMadeAnew(`the topic ${settings.topic} was made anew`);
}

function outOfRange(topic: string, partition: number, offset: bigint, range: PartitionRange | undefined): OffsetOutOfRange {
  const there = range === undefined ? 'does not exist' : `has ${range.low} to ${range.high}`;
  return new OffsetOutOfRange(`offset ${offset} is not in partition ${partition} of the topic ${topic}, which ${there}`);
}

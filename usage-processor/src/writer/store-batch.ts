import { isUtf8 } from 'node:buffer';
import { parseUsageEvent, type UsageEvent } from '@tollgate/domain/usage-event';

/** Which part of which log: offsets mean nothing without it. */
export interface LogPart {
  logId: string;
  topic: string;
  partition: number;
}

export interface ReadValue {
  offset: bigint;
  value: Buffer;
}

export interface ReadBatch extends LogPart {
  records: readonly ReadValue[];
  startOffset: bigint;
  nextOffset: bigint;
}

export interface DeadLetter extends ReadValue {
  reason: string;
}

export interface JudgedBatch extends LogPart {
  startOffset: bigint;
  nextOffset: bigint;
  events: UsageEvent[];
  /** What each of the events was read from, in their order: the database may still refuse one. */
  sources: ReadValue[];
  deadLetters: DeadLetter[];
}

/** Keeps all of a batch or nothing, and rejects where a further offset than its start is kept already. */
export type StoreUsage = (batch: JudgedBatch) => Promise<{ inserted: number; duplicates: number; deadLettered: number }>;

export type StoredStage = 'stored' | 'duplicate' | 'dead';

/** No event is longer: a longer value is judged without being read. */
const MAX_EVENT_BYTES = 65_536;

/** Brings a batch into the tables. Rejects where nothing of it is kept; then the batch is read again. */
export async function storeBatch(
  batch: ReadBatch,
  nowMs: number,
  needs: {
    store: StoreUsage;
    count: (stage: StoredStage, events: number) => void;
    /** Told of the events once they are stored. */
    saw: (events: readonly UsageEvent[]) => void;
  },
): Promise<void> {
  const judged = judgeBatch(batch, nowMs); // 1. what is no event becomes a dead letter: one bad value never stops the rest
  const { inserted, duplicates, deadLettered } = await needs.store(judged); // 2. rows, dead letters and offset in one transaction
  needs.count('stored', inserted);
  needs.count('duplicate', duplicates);
  needs.count('dead', deadLettered);
  needs.saw(judged.events);
} // 3. the log notes the progress when this resolves: a crash before repeats work, and 2 makes that harmless

/** Parts what is a usage event from what is not, in order. Nothing is dropped. */
export function judgeBatch({ records, ...place }: ReadBatch, nowMs: number): JudgedBatch {
  const judged: JudgedBatch = { ...place, events: [], sources: [], deadLetters: [] };
  for (const { offset, value } of records) {
    const parsed = parseValue(value, nowMs);
    if (parsed.kind === 'event') {
      judged.events.push(parsed.event);
      judged.sources.push({ offset, value });
    } else judged.deadLetters.push({ offset, value, reason: parsed.reason });
  }
  return judged;
}

function parseValue(value: Buffer, nowMs: number): ReturnType<typeof parseUsageEvent> {
  if (value.length > MAX_EVENT_BYTES) return { kind: 'rejected', reason: 'too long' };
  if (!isUtf8(value)) return { kind: 'rejected', reason: 'not UTF-8' };
  return parseUsageEvent(value.toString('utf8'), nowMs);
}

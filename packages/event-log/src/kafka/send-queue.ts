import type { Message } from 'kafkajs';

/** What came in one append, to be settled as one. */
export interface Append {
  messages: readonly Message[];
  bytes: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Appends in the order in which they came, taken out in pieces that Kafka takes as one request. */
export interface SendQueue {
  messages(): number;
  bytes(): number;
  push(append: Append): void;
  /** The next messages, at least one; settle them before taking more. */
  take(): Message[];
  /** What was taken is safe: resolves the appends that it completes. */
  taken(): void;
  /** Rejects every append that is not resolved yet, in order, and forgets them. */
  rejectAll(error: unknown): void;
}

/** Below Kafka's default for a record batch (1 MiB), as little as snappy may save. */
const MAX_TAKEN_BYTES = 700_000;
const MAX_TAKEN_MESSAGES = 1000;

export function createSendQueue(): SendQueue {
  const appends: Append[] = [];
  let messages = 0;
  let bytes = 0;
  /** Messages of the oldest append that are safe, and how many more were taken from the queue. */
  let sent = 0;
  let underWay = 0;

  const piece = (): Message[] => {
    const taken: Message[] = [];
    let takenBytes = 0;
    let skip = sent;
    for (const append of appends) {
      for (const message of append.messages.slice(skip)) {
        takenBytes += messageBytes(message);
        const isTooMuch = taken.length === MAX_TAKEN_MESSAGES || takenBytes > MAX_TAKEN_BYTES;
        if (isTooMuch && taken.length > 0) return taken;
        taken.push(message);
      }
      skip = 0;
    }
    return taken;
  };
  const removeOldest = (): Append | undefined => {
    const oldest = appends.shift();
    messages -= oldest?.messages.length ?? 0;
    bytes -= oldest?.bytes ?? 0;
    return oldest;
  };

  return {
    messages: () => messages - sent,
    bytes: () => bytes,
    push: (append) => {
      appends.push(append);
      messages += append.messages.length;
      bytes += append.bytes;
    },
    take: () => {
      const taken = piece();
      underWay = taken.length;
      return taken;
    },
    taken: () => {
      sent += underWay;
      underWay = 0;
      for (let oldest = appends[0]; oldest !== undefined && oldest.messages.length <= sent; oldest = appends[0]) {
        sent -= oldest.messages.length;
        removeOldest()?.resolve();
      }
    },
    rejectAll: (error) => {
      sent = 0;
      underWay = 0;
      while (appends.length > 0) removeOldest()?.reject(error);
    },
  };
}

export function messageBytes({ key, value }: Message): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}

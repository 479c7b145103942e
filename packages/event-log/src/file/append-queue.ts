import type { UsageEvent } from '@tollgate/domain/usage-event';
import { encodeRecord } from './record.js';

export interface WaitingAppend {
  events: readonly UsageEvent[];
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Appends that share one write. `end` is where an append's last record ends among `records`. */
export interface AppendGroup {
  appends: { append: WaitingAppend; end: number }[];
  records: Buffer;
}

/** Appends that wait are encoded, and so doubled in memory, only this much at a time; their callers hold the rest anyway. */
const GROUP_BYTES = 1 << 20;

/** Takes appends off the queue, oldest first, until the group is large enough. What cannot be encoded is rejected alone. */
export function takeGroup(queue: WaitingAppend[]): AppendGroup {
  const appends: AppendGroup['appends'] = [];
  const records: Buffer[] = [];
  let bytes = 0;
  while (bytes < GROUP_BYTES) {
    const append = queue.shift();
    if (append === undefined) break;
    try {
      const encoded = append.events.map((event) => encodeRecord(Buffer.from(JSON.stringify(event))));
      for (const record of encoded) bytes += record.length;
      records.push(...encoded);
      appends.push({ append, end: bytes });
    } catch (error) {
      append.reject(error);
    }
  }
  return { appends, records: Buffer.concat(records) };
}

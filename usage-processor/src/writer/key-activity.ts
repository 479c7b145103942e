import type { UsageEvent } from '@tollgate/domain/usage-event';

/** Writes when keys were last used. An older time never replaces a newer one. */
export type RecordKeyUse = (lastUsed: ReadonlyMap<string, Date>) => Promise<unknown>;

export interface KeyActivity {
  saw(events: readonly Pick<UsageEvent, 'api_key_id' | 'time'>[]): void;
  /** Writes the uses of keys that were not written within the last minute. What fails is tried at the next flush. */
  flush(nowMs: number): Promise<void>;
}

const WRITTEN_EVERY_MS = 60_000;
/** Keys that wait to be written; beyond it a use is forgotten, which a later one mends. */
const MAX_WAITING = 100_000;

/** Gathers when keys were used, so that using a key costs its row one write a minute at most. */
export function createKeyActivity(record: RecordKeyUse): KeyActivity {
  const waiting = new Map<string, number>();
  const writtenAtMs = new Map<string, number>();

  return {
    saw(events) {
      for (const { api_key_id, time } of events) {
        const usedMs = Date.parse(time);
        const known = waiting.get(api_key_id);
        if (known === undefined && waiting.size >= MAX_WAITING) continue;
        if (known === undefined || known < usedMs) waiting.set(api_key_id, usedMs);
      }
    },
    async flush(nowMs) {
      for (const [key, atMs] of writtenAtMs) if (nowMs - atMs >= WRITTEN_EVERY_MS) writtenAtMs.delete(key);
      const due = new Map([...waiting].filter(([key]) => !writtenAtMs.has(key)));
      if (due.size === 0) return;
      await record(new Map([...due].map(([key, usedMs]) => [key, new Date(usedMs)])));
      for (const [key, usedMs] of due) {
        writtenAtMs.set(key, nowMs);
        if (waiting.get(key) === usedMs) waiting.delete(key);
      }
    },
  };
}

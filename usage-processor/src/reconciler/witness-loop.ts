import type { Outcome, PendingMinutes, SettledWindow, Tally } from './pending-minutes.js';

export interface LoopNeeds {
  pending: PendingMinutes;
  /** Reads on into `pending` until it is full; true where nothing more is there. */
  readOn(): Promise<boolean>;
  check(minuteMs: number, tallies: ReadonlyMap<string, Tally[]>): Promise<ReadonlyMap<string, Outcome>>;
  /** Keeps what was checked and where reading went on, both or neither. */
  keep(window: SettledWindow, checkedUntilMs: number): Promise<void>;
  /** How long after its end a minute waits for those of its requests that are under way, and for the writer. */
  graceMs: number;
  nowMs(): number;
}

export const MINUTE_MS = 60_000;
/** Bounds the memory: 16 bytes each in a few arrays that have room to grow, and some 500 while they are missing. */
export const MAX_PENDING_EVENTS = 1_000_000;
const NOTHING: SettledWindow = { rows: [], offsets: new Map(), nextMinuteMs: Infinity };

/**
 * One round: 1. read, 2. check the minutes that are over, which replays what is missing and waits until it is stored,
 * 3. keep what is checked. A crash at any point repeats work and counts nothing twice, since what was not kept is read again.
 * Returns up to which moment all is checked.
 */
export async function witnessRound(needs: LoopNeeds): Promise<number> {
  const { pending, graceMs, nowMs } = needs;
  const isAtEnd = await needs.readOn();
  for (const { minuteMs, addedMs } of pending.unchecked()) {
    const isOver = nowMs() >= Math.max(minuteMs + MINUTE_MS, addedMs) + graceMs;
    const isRead = isAtEnd || pending.newestMs() >= minuteMs + MINUTE_MS + graceMs || pending.size() >= MAX_PENDING_EVENTS;
    if (isOver && isRead) pending.checked(minuteMs, await needs.check(minuteMs, pending.tallies(minuteMs)));
  }
  const readUntilMs = isAtEnd ? nowMs() - graceMs : Math.min(nowMs() - graceMs, pending.newestMs());
  const checkedUntil = (oldestMs: number) => Math.floor(Math.min(readUntilMs, oldestMs) / MINUTE_MS) * MINUTE_MS;
  for (let window = pending.settled(); window !== undefined; window = pending.settled()) {
    await needs.keep(window, checkedUntil(window.nextMinuteMs));
    pending.forget();
  }
  const checkedUntilMs = checkedUntil(pending.oldestMs());
  await needs.keep(NOTHING, checkedUntilMs);
  return checkedUntilMs;
}

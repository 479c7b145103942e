/** A half-open range of time in UTC, in Unix milliseconds: `startMs` belongs to it, `endMs` does not. */
export interface Period {
  startMs: number;
  endMs: number;
}

export const DAY_MS = 86_400_000;

/** The UTC day that this moment falls in. */
export function dayPeriod(nowMs: number): Period {
  const startMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
  return { startMs, endMs: startMs + DAY_MS };
}

/** The billing month that this moment falls in. An anchor day that a month lacks (31 in June) is its last day. */
export function monthPeriod(anchorDay: number, nowMs: number): Period {
  const now = new Date(nowMs);
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  const thisStart = anchorOf(year, month, anchorDay);
  return nowMs < thisStart
    ? { startMs: anchorOf(year, month - 1, anchorDay), endMs: thisStart }
    : { startMs: thisStart, endMs: anchorOf(year, month + 1, anchorDay) };
}

function anchorOf(year: number, month: number, anchorDay: number): number {
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return Date.UTC(year, month, Math.min(anchorDay, lastDay));
}

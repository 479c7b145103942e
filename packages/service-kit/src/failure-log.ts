import type { Logger } from './log.js';

const LINES_PER_SECOND = 10;

/** `traceId` is of the call, where it has one. */
export type FailureLog = (error: unknown, path: string, nowMs: number, traceId?: string) => void;

/** Logs failures whole, but at most ten a second: what breaks every call must not drown the disk. Tells how many it left out. */
export function createFailureLog(log: Logger): FailureLog {
  let secondStartedMs = Number.NEGATIVE_INFINITY;
  let lines = 0;
  let suppressed = 0;

  return (error, path, nowMs, traceId) => {
    if (Math.abs(nowMs - secondStartedMs) >= 1000) {
      secondStartedMs = nowMs;
      lines = 0;
    }
    if (lines >= LINES_PER_SECOND) {
      suppressed++;
      return;
    }
    lines++;
    const more = { ...(traceId !== undefined && { trace_id: traceId }), ...(suppressed > 0 && { suppressed }) };
    log.error({ err: asError(error), path, ...more }, 'a call failed');
    suppressed = 0;
  };
}

/** What is thrown need not be an error; the log should still show a message. */
function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(`not an Error was thrown: ${String(error)}`);
}

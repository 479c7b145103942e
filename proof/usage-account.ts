import { setTimeout as pause } from 'node:timers/promises';
import { until } from '@tollgate/testing/until';
import type { Cluster } from '../e2e/cluster.js';
import { type Answered, isKnown, isRefused } from './probe.js';

const STORED_DEADLINE_MS = 90_000;
/** What is missing after the last event has come for so long does not come any more. */
const QUIET_MS = 5_000;
const ANSWER_DEADLINE_MS = 30_000;
/** Counting costs the database as much as storing does. */
const LOOK_AGAIN_MS = 500;
/** Of the table, so that a million rows are compared piece by piece. */
const PARTS = 16;

export interface Account {
  lost: number;
  doubled: number;
  /** From the call to the look that found all of it, or to the last change of what was found. */
  storedMs: number;
}

/**
 * Compares what callers were answered with what is stored, by request id, when all of it is, no more comes for `quietMs`, or
 * it has been coming for too long: what is missing then counts as lost.
 */
export async function accountOf(cluster: Cluster, answers: readonly Answered[], quietMs = QUIET_MS): Promise<Account> {
  const expected = new Set(answers.filter(isBilled).map(({ requestId }) => requestId));
  const beganMs = performance.now();
  let [rows, changedMs] = [-1, beganMs];
  for (;;) {
    // A database that was hurt may have taken its connections along.
    const counted = await until(() => rowsOf(cluster), ANSWER_DEADLINE_MS, 'the number of rows');
    const nowMs = performance.now();
    if (counted !== rows) changedMs = nowMs;
    rows = counted;
    const isOver = nowMs - changedMs > quietMs || nowMs - beganMs > STORED_DEADLINE_MS + quietMs;
    if (isOver || rows >= expected.size) {
      const found = await compare(cluster, expected);
      if (isOver || found.lost === 0) return { ...found, storedMs: Math.round(changedMs - beganMs) };
    }
    await pause(LOOK_AGAIN_MS);
  }
}

async function rowsOf({ db }: Cluster): Promise<number> {
  const [found] = await db.query<{ rows: number }>('SELECT count(*)::int AS rows FROM usage_events');
  return found?.rows ?? 0;
}

async function compare({ db }: Cluster, expected: ReadonlySet<string>): Promise<{ lost: number; doubled: number }> {
  let [found, doubled] = [0, 0];
  for (let part = 0; part < PARTS; part++) {
    const rows = await db.query<{ request_id: string; copies: number }>(
      'SELECT request_id, count(*)::int AS copies FROM usage_events WHERE hashtext(request_id) & $1 = $2 GROUP BY 1',
      [PARTS - 1, part],
    );
    for (const { request_id: id, copies } of rows) {
      if (expected.has(id)) found++;
      doubled += copies - 1;
    }
  }
  return { lost: expected.size - found, doubled };
}

/** Whoever is known, and got a whole answer, has used something. */
export function isBilled(answer: Answered): boolean {
  return isKnown(answer) && !isRefused(answer);
}

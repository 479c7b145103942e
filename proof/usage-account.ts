import { until } from '@tollgate/testing/until';
import type { Cluster } from '../e2e/cluster.js';
import type { Answered } from './probe.js';

const STORED_DEADLINE_MS = 90_000;
/** What is missing after the last event has come for so long does not come any more. */
const QUIET_MS = 5_000;

/** Compares what callers were answered with what is stored, by request id, when all of it is or no more comes. */
export async function accountOf(
  cluster: Cluster,
  answers: readonly Answered[],
  quietMs = QUIET_MS,
): Promise<{ lost: number; doubled: number }> {
  const expected = new Set(answers.filter(isBilled).map(({ requestId }) => requestId));
  let rows = -1;
  let changedMs = performance.now();
  const isOver = async (): Promise<boolean> => {
    const [found] = await cluster.db.query<{ rows: number }>('SELECT count(*)::int AS rows FROM usage_events');
    if (found?.rows !== rows) changedMs = performance.now();
    rows = found?.rows ?? 0;
    const isQuiet = performance.now() - changedMs > quietMs;
    return isQuiet || (rows >= expected.size && missing(expected, await copies(cluster)) === 0);
  };
  await until(isOver, STORED_DEADLINE_MS + quietMs, 'the end of storing');
  const stored = await copies(cluster);
  return { lost: missing(expected, stored), doubled: [...stored.values()].reduce((sum, each) => sum + each - 1, 0) };
}

/** How often each request id is stored. */
async function copies({ db }: Cluster): Promise<Map<string, number>> {
  const rows = await db.query<{ request_id: string; copies: number }>(
    'SELECT request_id, count(*)::int AS copies FROM usage_events GROUP BY 1',
  );
  return new Map(rows.map(({ request_id, copies: each }) => [request_id, each]));
}

function missing(expected: ReadonlySet<string>, stored: ReadonlyMap<string, number>): number {
  let lost = 0;
  for (const id of expected) if (!stored.has(id)) lost++;
  return lost;
}

/** Whoever is known, and got a whole answer, has used something. */
export function isBilled({ caller, status }: Answered): boolean {
  return (caller === 'keyed' || caller === 'tight') && (status === 200 || status === 429);
}

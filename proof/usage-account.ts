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
  let stored: Map<string, number> = new Map();
  let changedMs = performance.now();
  await until(
    async () => {
      const rows = await cluster.db.query<{ request_id: string; copies: number }>(
        'SELECT request_id, count(*)::int AS copies FROM usage_events GROUP BY 1',
      );
      if (rows.length !== stored.size) changedMs = performance.now();
      stored = new Map(rows.map(({ request_id, copies }) => [request_id, copies]));
      const isWhole = [...expected].every((id) => stored.has(id));
      return isWhole || performance.now() - changedMs > quietMs;
    },
    STORED_DEADLINE_MS + quietMs,
    'the end of storing',
  );
  const lost = [...expected].filter((id) => !stored.has(id)).length;
  return { lost, doubled: [...stored.values()].reduce((sum, copies) => sum + copies - 1, 0) };
}

/** Whoever is known, and got a whole answer, has used something. */
export function isBilled({ caller, status }: Answered): boolean {
  return (caller === 'keyed' || caller === 'tight') && (status === 200 || status === 429);
}

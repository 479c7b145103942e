import type { Database } from '@tollgate/postgres/database';
import { StaleOwner } from '@tollgate/postgres/usage-store';
import {
  deadLettered,
  keepWitness,
  missingEvents,
  newestStored,
  readWitnessedFiles,
  storedTotals,
  witnessedTotals,
  writerProgress,
} from '@tollgate/postgres/usage-witness';
import type { StoredUsage } from '../witness-rounds.js';

/** What the database knows of one gateway's usage. */
export function storedUsage(db: Database, nodeId: string): StoredUsage {
  return {
    storedTotals: (minuteMs) => storedTotals(db, nodeId, new Date(minuteMs)),
    keptTotals: (minuteMs) => witnessedTotals(db, nodeId, new Date(minuteMs)),
    findMissing: (organizationId, minuteMs, ids) => missingEvents(db, { organizationId, minute: new Date(minuteMs), ids }),
    findDeadLettered: (ids) => deadLettered(db, ids),
    newestStoredMs: async (minuteMs) => (await newestStored(db, nodeId, new Date(minuteMs)))?.getTime(),
    writerProgress: () => writerProgress(db),
    async keep({ rows: tallies }, files, checkedUntilMs) {
      const rows = tallies.map(({ minuteMs, ...row }) => ({ ...row, minute: new Date(minuteMs) }));
      try {
        await keepWitness(db, { nodeId, rows, files, checkedUntil: new Date(checkedUntilMs) });
      } catch (error) {
        // A commit whose answer was lost looks like another owner, but left every file just where this one wanted it.
        if (!(error instanceof StaleOwner)) throw error;
        const kept = await readWitnessedFiles(db, nodeId);
        if (files.some(({ fileId, nextOffset }) => kept.get(fileId) !== nextOffset)) throw error;
      }
    },
  };
}

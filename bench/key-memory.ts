/**
 * What does a cached key take, and what does it cost to look one up? The cache of authz is filled with records as the database hands
 * them out, each with its encoded answer, in a process that does nothing else. Memory is counted after a collection of garbage.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { allowedResponse } from '@tollgate/authz-service/grpc/check-response';
import { createRecordCache, type RecordCache } from '@tollgate/cache/record-cache';
import { hashApiKey } from '@tollgate/domain/api-key';
import type { KeyRecord } from '@tollgate/domain/judge-key';
import { findKeysByHash } from '@tollgate/postgres/api-keys';
import type { Database } from '@tollgate/postgres/database';
import { importApiKeys } from '@tollgate/postgres/import-api-keys';
import { createOrganization } from '@tollgate/postgres/organizations';
import { collectGarbage } from '@tollgate/testing/collect-garbage';
import { type KeyLookUps, keyHash, keyLookUpsReport, lookUp } from './key-look-ups.js';
import { type KeyMemory, keyMemoryReport } from './key-memory-report.js';
import { provenance } from './provenance.js';
import { writeSection } from './results-page.js';
import { inRunFolder } from './run-folder.js';
import { startBenchPostgres } from './stores.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SIZES = [1_000, 10_000, 100_000, 1_000_000];
/** Fewer take less than what else happens in the process. */
const FEWEST_WEIGHED = 100_000;
/** Rows of the database that are read again and again: each reading makes records of its own. */
const STORED_KEYS = 500;
const ORGANIZATIONS = 100;
const SCOPES = ['orders:read', 'orders:write'];
const ACTOR = 'bench';
const NOW_MS = Date.now();
/** They stay: a cache that went away while the next one grows would be counted as room that it does not take. */
const caches: unknown[] = [];

await inRunFolder(async (folder, closers) => {
  const postgres = await startBenchPostgres(folder, ROOT, closers);
  const { db } = postgres;
  const hashes = await storeKeys(db);
  const measured: KeyMemory[] = [];
  const lookUps: KeyLookUps[] = [];
  for (const keys of SIZES) {
    const { memory, cache } = await fill(db, hashes, keys);
    if (keys >= FEWEST_WEIGHED) measured.push(memory);
    lookUps.push(lookUp(cache, keys, NOW_MS));
  }
  const versions = `Node.js ${process.version}, PostgreSQL ${postgres.version}`;
  const about = await provenance(ROOT, versions, 'key-memory');
  const reports = [
    keyMemoryReport(measured, { scopes: SCOPES.length, organizations: ORGANIZATIONS }, about),
    keyLookUpsReport(lookUps, about),
  ];
  for (const report of reports) {
    console.info(`\n${report}`);
    await writeSection(join(ROOT, 'bench', 'results.md'), report);
  }
});
process.exit();

async function storeKeys(db: Database): Promise<string[]> {
  for (let i = 0; i < ORGANIZATIONS; i++)
    await createOrganization(db, { name: `Bench ${i}`, plan: 'premium', billingAnchorDay: 1 }, ACTOR);
  const rows = Array.from({ length: STORED_KEYS }, (_, i) => ({
    line: i + 1,
    row: {
      ...{ organization: `Bench ${i % ORGANIZATIONS}`, name: `bench ${i}`, environment: 'live' as const, scopes: SCOPES },
      ...{ keyHash: hashApiKey(`bench ${i}`), prefix: 'sk_live_benc' },
    },
  }));
  await importApiKeys(db, rows, { isDryRun: false, skipBad: false }, ACTOR);
  return rows.map(({ row }) => row.keyHash);
}

/** Throws where the cache does not hold every key that it was to hold. */
async function fill(
  db: Database,
  hashes: readonly string[],
  keys: number,
): Promise<{ memory: KeyMemory; cache: RecordCache<KeyRecord> }> {
  const before = memoryInUse();
  let batch: readonly KeyRecord[] = [];
  let next = 0;
  const cache = createRecordCache<KeyRecord>({
    ...{ max: keys, ttlMs: 900_000, refreshAheadMs: 180_000, negativeMax: 50_000, negativeTtlMs: 5_000, maxLoads: 10_000 },
    load: async () => batch[next++ % batch.length],
  });
  caches.push(cache);
  let answerBytes = 0;
  for (let first = 0; first < keys; first += hashes.length) {
    batch = [...(await findKeysByHash(db, hashes)).values()];
    for (let i = first; i < first + batch.length; i++) {
      const key = await cache.load(keyHash(i), NOW_MS);
      if (key === undefined) throw new Error('a key has no record');
      answerBytes = allowedResponse(key, false).length;
    }
  }
  batch = [];
  const after = memoryInUse();
  let held = 0;
  for (let i = 0; i < keys; i++) if (cache.get(keyHash(i), NOW_MS) !== undefined) held++;
  if (held !== keys || cache.size() !== keys) throw new Error(`${held} of ${keys} keys are held`);
  const each = { heapBytes: (after.heap - before.heap) / keys, residentBytes: (after.resident - before.resident) / keys };
  console.info(`${keys} keys: ${each.heapBytes.toFixed(0)} bytes each`);
  return { memory: { keys, answerBytes, ...each }, cache };
}

/** What is in use, inside and outside of V8's heap, and what the system has given. */
function memoryInUse(): { heap: number; resident: number } {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, resident: rss };
}

import { HASH_VERSION } from '@tollgate/domain/api-key';
import type { LineProblem, NumberedRow } from '@tollgate/domain/key-file';
import type { KeyRow } from '@tollgate/domain/key-row';
import { isUuid } from '@tollgate/domain/uuid';
import { recordAudit } from './audit.js';
import type { Sql } from './database.js';
import { Conflict, errorCode, Invalid, SQLSTATE } from './errors.js';
import { validActor, validName, validReason, validScopes } from './text-rules.js';

/** Rows for one call of {@link importApiKeys}: one transaction, a second or two. */
export const IMPORT_BATCH_ROWS = 5_000;

/** From so many rows on a table may have become another one to the planner. */
const BULK_ROWS = 1_000;

export interface ImportOptions {
  /** Looks at everything and writes nothing; `imported` is then what would be. */
  isDryRun: boolean;
  /** Imports the good rows of a batch that has bad ones too. Without it such a batch changes nothing. */
  skipBad: boolean;
}

export interface ImportResult {
  /** Rows written. */
  imported: number;
  /** Rows whose hash is there already, in the same organization: left as they are, so that an import may be repeated. */
  existing: number;
  /** By line. */
  problems: LineProblem[];
}

/**
 * Imports a batch of keys, whose hashes and ids differ, in one transaction; caches learn of it by one reload. Each
 * organization concerned gets one entry in the audit log. Throws Conflict where someone else makes one of these keys meanwhile.
 */
export async function importApiKeys(
  db: Sql,
  rows: readonly NumberedRow[],
  options: ImportOptions,
  actor: string,
): Promise<ImportResult> {
  if (rows.length > IMPORT_BATCH_ROWS) throw new Invalid(`a batch has at most ${IMPORT_BATCH_ROWS} rows`);
  validActor(actor);
  return db.transaction(async (tx) => {
    const { fresh, existing, problems } = await sort(tx, rows, actor);
    if (problems.length > 0 && !options.skipBad) return { imported: 0, existing, problems };
    if (!options.isDryRun && fresh.length > 0) await write(tx, fresh, actor);
    return { imported: fresh.length, existing, problems };
  });
}

/** A row that fits the tables: its organization by id, its texts checked. */
interface FittingRow extends KeyRow {
  line: number;
  organizationId: string;
}

interface SortedRows {
  fresh: FittingRow[];
  existing: number;
  problems: LineProblem[];
}

async function sort(tx: Sql, rows: readonly NumberedRow[], actor: string): Promise<SortedRows> {
  const organizations = await findOrganizationIds(tx, rows);
  // The time that keys without one will get as their created_at.
  const [time] = await tx.query<{ now: Date }>('SELECT now() AS now');
  const problems: LineProblem[] = [];
  const fitting: FittingRow[] = [];
  for (const { line, row } of rows) {
    const found = fit(row, organizations.get(row.organization), actor, time?.now ?? new Date(0));
    if (typeof found === 'string') problems.push({ line, problem: found });
    else fitting.push({ ...found, line });
  }
  const there = await findExisting(tx, fitting);
  const fresh: FittingRow[] = [];
  let existing = 0;
  for (const row of fitting) {
    const other = there.byHash.get(row.keyHash);
    if (other === undefined && there.ids.has(row.id ?? '')) problems.push({ line: row.line, problem: 'another key has this id' });
    else if (other === undefined) fresh.push(row);
    else if (other === row.organizationId) existing++;
    else problems.push({ line: row.line, problem: 'the key belongs to another organization already' });
  }
  return { fresh, existing, problems: problems.sort((a, b) => a.line - b.line) };
}

/** The row as the tables take it, or what they would refuse. */
function fit(row: KeyRow, organizationId: string | undefined, actor: string, now: Date): Omit<FittingRow, 'line'> | string {
  if (organizationId === undefined) return 'there is no such organization';
  if (row.createdAt === undefined && row.expiresAt !== undefined && row.expiresAt <= now)
    return 'expires_at lies in the past, so created_at is needed';
  try {
    return {
      ...row,
      organizationId,
      name: validName(row.name),
      scopes: validScopes(row.scopes),
      createdBy: validActor(row.createdBy ?? actor),
      ...(row.revokedReason === undefined ? {} : { revokedReason: validReason(row.revokedReason) }),
    };
  } catch (error) {
    if (error instanceof Invalid) return error.message;
    throw error;
  }
}

/** Ids by what the rows call the organizations: an id, or a name in any case. */
async function findOrganizationIds(tx: Sql, rows: readonly NumberedRow[]): Promise<ReadonlyMap<string, string>> {
  // PostgreSQL holds neither NUL nor half a surrogate pair; no name has one.
  const words = [...new Set(rows.map(({ row }) => row.organization))].filter(
    (word) => !word.includes('\0') && word.isWellFormed(),
  );
  const ids = words.filter((word) => isUuid(word.toLowerCase()));
  const found = await tx.query<{ word: string; id: string }>(
    `SELECT word, o.id FROM unnest($1::text[]) AS word JOIN organizations AS o ON o.id = word::uuid
     UNION ALL SELECT word, o.id FROM unnest($2::text[]) AS word JOIN organizations AS o ON lower(o.name) = lower(btrim(word))`,
    [ids, words.filter((word) => !isUuid(word.toLowerCase()))],
  );
  return new Map(found.map(({ word, id }) => [word, id]));
}

async function findExisting(
  tx: Sql,
  rows: readonly FittingRow[],
): Promise<{ byHash: ReadonlyMap<string, string>; ids: ReadonlySet<string> }> {
  const found = await tx.query<{ id: string; key_hash: string; organization_id: string }>(
    `SELECT id, key_hash, organization_id FROM api_keys WHERE key_hash = ANY ($1::text[])
     UNION SELECT id, key_hash, organization_id FROM api_keys WHERE id = ANY ($2::uuid[])`,
    [rows.map(({ keyHash }) => keyHash), rows.flatMap(({ id }) => id ?? [])],
  );
  return {
    byHash: new Map(found.map((row) => [row.key_hash, row.organization_id])),
    ids: new Set(found.map(({ id }) => id)),
  };
}

async function write(tx: Sql, rows: readonly FittingRow[], actor: string): Promise<void> {
  await explained(
    tx.query(
      // Scopes travel as JSON: an array of arrays must be a rectangle.
      `INSERT INTO api_keys (id, organization_id, name, environment, key_hash, hash_version, prefix, scopes, created_at, created_by,
         expires_at, revoked_at, revoked_reason)
       SELECT coalesce(id, gen_random_uuid()), organization_id, name, environment, key_hash, $13, prefix,
         ARRAY (SELECT jsonb_array_elements_text(scopes::jsonb)), coalesce(created_at, now()), created_by, expires_at, revoked_at, revoked_reason
       FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::text[],
         $10::timestamptz[], $11::timestamptz[], $12::text[])
         AS t (id, organization_id, name, environment, key_hash, prefix, scopes, created_at, created_by, expires_at, revoked_at, revoked_reason)`,
      [
        rows.map(({ id }) => id ?? null),
        rows.map(({ organizationId }) => organizationId),
        rows.map(({ name }) => name),
        rows.map(({ environment }) => environment),
        rows.map(({ keyHash }) => keyHash),
        rows.map(({ prefix }) => prefix),
        rows.map(({ scopes }) => JSON.stringify(scopes)),
        rows.map(({ createdAt }) => createdAt ?? null),
        rows.map(({ createdBy }) => createdBy),
        rows.map(({ expiresAt }) => expiresAt ?? null),
        rows.map(({ revokedAt }) => revokedAt ?? null),
        rows.map(({ revokedReason }) => revokedReason ?? null),
        HASH_VERSION,
      ],
    ),
  );
  // Services that looked keys up in a small table go on with its plan, which reads all of it, until this tells them of a large one.
  if (rows.length >= BULK_ROWS) await tx.query('ANALYZE api_keys');
  const counts = new Map<string, number>();
  for (const { organizationId } of rows) counts.set(organizationId, (counts.get(organizationId) ?? 0) + 1);
  for (const [organizationId, keys] of counts)
    await recordAudit(tx, {
      actor,
      action: 'api_key.import',
      subjectKind: 'organization',
      subjectId: organizationId,
      organizationId,
      details: { keys },
    });
}

async function explained(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    const isRepeated = errorCode(error) === SQLSTATE.uniqueViolation;
    if (isRepeated) throw new Conflict('one of these keys was made meanwhile, or is there twice: run the import again');
    throw error;
  }
}

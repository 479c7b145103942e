import { hashApiKey } from '@tollgate/domain/api-key';
import { createApiKey, findKeyByHash, revokeApiKey } from '@tollgate/postgres/api-keys';
import type { Database } from '@tollgate/postgres/database';
import { setLimits } from '@tollgate/postgres/limits';
import { setOrganizationActive } from '@tollgate/postgres/organizations';
import { setPlan } from '@tollgate/postgres/plans';
import { expect, test } from 'vitest';
import { anOrganization, openFresh } from '../open-fresh.js';

test('each write names what changed', async () => {
  const { db } = await openFresh();
  const changes = watch(db);
  const { id } = await anOrganization(db);
  expect(await changes()).toEqual([`organization ${id}`]);
  const { secret, key } = await createApiKey(
    db,
    { organizationId: id, name: 'k', environment: 'live', scopes: [], createdBy: 't' },
    't',
  );
  expect(await changes()).toEqual([`api_key ${hashApiKey(secret)}`]);
  await revokeApiKey(db, key.id, undefined, 't');
  expect(await changes()).toEqual([`api_key ${hashApiKey(secret)}`]);
  await setLimits(db, { organizationId: id, keyId: key.id }, { perMinute: 1 }, 't');
  expect(await changes()).toEqual([`limits ${id}`]);
  await setPlan(db, 'basic', { burst: 100 }, 't');
  expect(await changes()).toEqual(['plan basic']);
  await setOrganizationActive(db, id, false, 't');
  expect(await changes()).toEqual([`organization ${id}`]);
  await findKeyByHash(db, hashApiKey(secret));
  await db.query('INSERT INTO api_key_activity VALUES ($1, now())', [key.id]);
  expect(await changes()).toEqual([]);
});

test('a row that gets another name is told under both', async () => {
  const { db } = await openFresh();
  const changes = watch(db);
  await db.query("UPDATE plans SET name = 'gold' WHERE name = 'basic'");
  expect(new Set(await changes())).toEqual(new Set(['plan basic', 'plan gold']));
});

test('a statement on many rows is one reload, one on few rows names each', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  const changes = watch(db);
  await changes();
  const insert = (rows: number) =>
    db.query(
      `INSERT INTO api_keys (organization_id, name, environment, key_hash, hash_version, prefix, created_by)
       SELECT $1, 'k', 'live', encode(sha256(gen_random_uuid()::text::bytea), 'hex'), 1, 'sk_live_aaaa', 't' FROM generate_series(1, $2)`,
      [id, rows],
    );
  await insert(100);
  expect(await changes()).toHaveLength(100);
  await insert(101);
  expect(await changes()).toEqual(['reload ']);
  await db.query("UPDATE api_keys SET name = 'other'");
  expect(await changes()).toEqual(['reload ']);
  await db.query("UPDATE api_keys SET name = 'other' WHERE false");
  expect(await changes()).toEqual([]);
  await db.query('DELETE FROM api_keys');
  expect(await changes()).toEqual(['reload ']);
  await db.query('TRUNCATE rate_limit_configs');
  expect(await changes()).toEqual(['reload ']);
});

/** What was appended since the last call. */
function watch(db: Database): () => Promise<string[]> {
  let last = '0';
  return async () => {
    const rows = await db.query<{ id: string; kind: string; subject: string }>(
      "SELECT id, kind, subject FROM changes WHERE id > $1 AND kind || subject !~ '^plan(premium|enterprise)$' ORDER BY id",
      [last],
    );
    last = rows.at(-1)?.id ?? last;
    return rows.map(({ kind, subject }) => `${kind} ${subject}`);
  };
}

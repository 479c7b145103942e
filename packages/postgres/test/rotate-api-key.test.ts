import { hashApiKey } from '@tollgate/domain/api-key';
import { keyDenial } from '@tollgate/domain/judge-key';
import { createApiKey, findKeyByHash, getApiKey, listApiKeys, type NewApiKey, revokeApiKey } from '@tollgate/postgres/api-keys';
import { listAudit } from '@tollgate/postgres/audit';
import type { Database } from '@tollgate/postgres/database';
import { Conflict, Invalid, NotFound } from '@tollgate/postgres/errors';
import { getLimits, setLimits } from '@tollgate/postgres/limits';
import { rotateApiKey } from '@tollgate/postgres/rotate-api-key';
import { until } from '@tollgate/testing/until';
import { expect, test } from 'vitest';
import { anOrganization, openFresh } from './open-fresh.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

async function aKey(db: Database, parts: Partial<NewApiKey> = {}) {
  const { id: organizationId } = await anOrganization(db);
  const key = { organizationId, name: 'backend', environment: 'test', scopes: ['a', 'b:*'], createdBy: 'alice' } as const;
  return createApiKey(db, { ...key, ...parts }, 'tester');
}

function denialOf(db: Database, secret: string, atMs: number) {
  return findKeyByHash(db, hashApiKey(secret)).then((key) => key && keyDenial(key, atMs));
}

test('both keys work during the overlap, and after it the old one has ended without another write', async () => {
  const { db } = await openFresh();
  const old = await aKey(db);
  const before = Date.now();
  const { secret, key, rotated } = await rotateApiKey(db, old.key.id, { overlapMs: HOUR_MS }, 'bob');
  expect(key).toMatchObject({
    organizationId: old.key.organizationId,
    name: 'backend',
    environment: 'test',
    scopes: ['a', 'b:*'],
    createdBy: 'alice',
    expiresAt: undefined,
    rotatedFrom: old.key.id,
    replacedBy: undefined,
  });
  expect(rotated).toMatchObject({ id: old.key.id, replacedBy: key.id, revokedAt: undefined });
  const endMs = rotated.expiresAt?.getTime() ?? 0;
  expect(endMs - before).toBeGreaterThan(HOUR_MS - 60_000);
  expect(endMs - before).toBeLessThan(HOUR_MS + 60_000);
  expect(await denialOf(db, old.secret, endMs - 1)).toBeUndefined();
  expect(await denialOf(db, old.secret, endMs)).toBe('expired_api_key');
  expect(await denialOf(db, secret, endMs)).toBeUndefined();
  expect(await listApiKeys(db, {})).toEqual([rotated, key]);
});

test('without an overlap the old key is revoked at once, for any clock', async () => {
  const { db } = await openFresh();
  const old = await aKey(db);
  const { secret, rotated } = await rotateApiKey(db, old.key.id, { overlapMs: 0 }, 'bob');
  expect(rotated).toMatchObject({ revokedReason: 'rotated', expiresAt: undefined });
  expect(await denialOf(db, old.secret, 1)).toBe('revoked_api_key');
  expect(await denialOf(db, secret, Date.now())).toBeUndefined();
});

test('the old key never lives longer than it would have', async () => {
  const { db } = await openFresh();
  const end = new Date(Date.now() + HOUR_MS);
  const old = await aKey(db, { expiresAt: end });
  const { rotated } = await rotateApiKey(db, old.key.id, { overlapMs: DAY_MS }, 'bob');
  expect(rotated.expiresAt).toEqual(end);
});

test('a new key has an end where the old one had: the same beyond the overlap, else as long a life', async () => {
  const { db } = await openFresh();
  const beyond = new Date(Date.now() + 10 * DAY_MS);
  const { key: old } = await aKey(db, { expiresAt: beyond });
  const first = await rotateApiKey(db, old.id, { overlapMs: DAY_MS }, 'bob');
  expect(first.key.expiresAt).toEqual(beyond);
  const second = await rotateApiKey(db, first.key.id, { overlapMs: 30 * DAY_MS }, 'bob');
  const lifeMs = beyond.getTime() - first.key.createdAt.getTime();
  expect(second.rotated.expiresAt).toEqual(beyond);
  expect(Math.abs((second.key.expiresAt?.getTime() ?? 0) - second.key.createdAt.getTime() - lifeMs)).toBeLessThan(60_000);
  const third = await rotateApiKey(db, second.key.id, { overlapMs: 0, expiresAt: null }, 'bob');
  expect(third.key.expiresAt).toBeUndefined();
  await expect(rotateApiKey(db, third.key.id, { overlapMs: 0, expiresAt: new Date(0) }, 'bob')).rejects.toBeInstanceOf(Invalid);
});

test('a key that is revoked, expired or rotated already is not rotated, and nothing is written', async () => {
  const { db } = await openFresh();
  const { key } = await aKey(db);
  const { key: replacement } = await rotateApiKey(db, key.id, { overlapMs: HOUR_MS }, 'bob');
  await expect(rotateApiKey(db, key.id, { overlapMs: 0 }, 'bob')).rejects.toThrow(replacement.id);
  await revokeApiKey(db, replacement.id, 'leaked', 'bob');
  await expect(rotateApiKey(db, replacement.id, { overlapMs: HOUR_MS }, 'bob')).rejects.toBeInstanceOf(Conflict);
  const { organizationId } = key;
  const short = { organizationId, name: 'k', environment: 'live', scopes: [], createdBy: 'a' } as const;
  const { key: expired } = await createApiKey(db, { ...short, expiresAt: new Date(Date.now() + DAY_MS) }, 'bob');
  await db.query("UPDATE api_keys SET created_at = now() - interval '1 day', expires_at = now() WHERE id = $1", [expired.id]);
  await expect(rotateApiKey(db, expired.id, { overlapMs: HOUR_MS }, 'bob')).rejects.toThrow('expired');
  await expect(rotateApiKey(db, 'nothing', { overlapMs: 0 }, 'bob')).rejects.toBeInstanceOf(NotFound);
  for (const overlapMs of [-1, 0.5, Number.NaN, 400 * DAY_MS])
    await expect(rotateApiKey(db, expired.id, { overlapMs }, 'bob')).rejects.toBeInstanceOf(Invalid);
  expect(await listApiKeys(db, {})).toHaveLength(3);
});

test('of ten rotations of one key at once exactly one wins', async () => {
  const { db } = await openFresh();
  const { key } = await aKey(db);
  const attempts = await Promise.allSettled(
    Array.from({ length: 10 }, (_, i) => rotateApiKey(db, key.id, { overlapMs: i % 2 === 0 ? HOUR_MS : 0 }, 'bob')),
  );
  expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const attempt of attempts) if (attempt.status === 'rejected') expect(attempt.reason).toBeInstanceOf(Conflict);
  expect(await listApiKeys(db, {})).toHaveLength(2);
});

test('a revocation that is under way comes first: the rotation waits for it, and is refused', async () => {
  const { db } = await openFresh();
  const { key } = await aKey(db);
  let commit: () => void = () => {};
  const mayCommit = new Promise<void>((resolve) => {
    commit = resolve;
  });
  let refused: Promise<void> | undefined;
  await db.transaction(async (tx) => {
    await revokeApiKey(tx, key.id, 'leaked', 'alice');
    refused = expect(rotateApiKey(db, key.id, { overlapMs: 0 }, 'bob')).rejects.toBeInstanceOf(Conflict);
    void until(async () => {
      const [row] = await db.query<{ waiting: number }>(
        "SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
      );
      return row?.waiting === 1;
    }).finally(commit);
    await mayCommit;
  });
  await refused;
  expect(await getApiKey(db, key.id)).toMatchObject({ revokedReason: 'leaked', replacedBy: undefined });
});

test('the limits of the old key are those of the new one', async () => {
  const { db } = await openFresh();
  const { key } = await aKey(db);
  const { organizationId } = key;
  await setLimits(db, { organizationId, keyId: key.id }, { perMinute: 7, burst: 9 }, 'tester');
  const { key: fresh } = await rotateApiKey(db, key.id, { overlapMs: HOUR_MS }, 'bob');
  const { keys } = await getLimits(db, organizationId);
  const overrideOf = (id: string) => keys.find(({ keyId }) => keyId === id)?.override;
  expect(overrideOf(fresh.id)).toEqual({ perMinute: 7, burst: 9 });
  expect(overrideOf(key.id)).toEqual({ perMinute: 7, burst: 9 });
});

test('a rotation is in the audit log of both keys, and changes of both are told', async () => {
  const { db } = await openFresh();
  const { secret: oldSecret, key } = await aKey(db);
  await db.query('DELETE FROM changes');
  const { secret, key: fresh } = await rotateApiKey(db, key.id, { overlapMs: HOUR_MS }, 'bob');
  expect(
    (await listAudit(db, { limit: 2 })).map(({ actor, action, subjectId, details }) => ({ actor, action, subjectId, details })),
  ).toEqual([
    {
      actor: 'bob',
      action: 'api_key.rotate',
      subjectId: key.id,
      details: { replaced_by: fresh.id, overlap_ms: HOUR_MS, ends_at: expect.any(String) as string },
    },
    {
      actor: 'bob',
      action: 'api_key.create',
      subjectId: fresh.id,
      details: expect.objectContaining({ rotated_from: key.id }) as object,
    },
  ]);
  const changes = await db.query<{ subject: string }>('SELECT DISTINCT subject FROM changes ORDER BY subject');
  expect(changes.map(({ subject }) => subject)).toEqual(
    [hashApiKey(oldSecret), hashApiKey(secret)].sort((a, b) => (a < b ? -1 : 1)),
  );
});

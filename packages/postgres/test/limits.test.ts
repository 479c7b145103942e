import { createApiKey } from '@tollgate/postgres/api-keys';
import { listAudit } from '@tollgate/postgres/audit';
import type { Database } from '@tollgate/postgres/database';
import { Conflict, Invalid, NotFound } from '@tollgate/postgres/errors';
import { clearLimits, findOrganizationLimits, getLimits, setLimits } from '@tollgate/postgres/limits';
import { getOrganization } from '@tollgate/postgres/organizations';
import { listPlans, setPlan } from '@tollgate/postgres/plans';
import { expect, test } from 'vitest';
import { HOSTILE_STRINGS } from './hostile-strings.js';
import { anOrganization, count, openFresh } from './open-fresh.js';

test('an override replaces its parts of the plan, and a new rate keeps the ratio of the burst', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  const subject = { organizationId: id };
  await setLimits(db, subject, { burst: 20 }, 'tester');
  const { override, effective } = await setLimits(db, subject, { perMinute: 200 }, 'tester');
  expect(override).toEqual({ perMinute: 200 });
  expect(effective).toEqual({ perMinute: 200, burst: 300, perDay: 10_000 });
  await setLimits(db, subject, { perMonth: 50_000 }, 'tester');
  expect((await getOrganization(db, id)).limits).toEqual({ ...effective, perMonth: 50_000 });
  expect((await setLimits(db, subject, { perMonth: null, perMinute: null }, 'tester')).override).toEqual({});
  expect(await count(db, 'rate_limit_configs')).toBe(0);
});

test('a key has limits of its own beside those of its organization', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  const { key } = await createApiKey(
    db,
    { organizationId: id, name: 'k', environment: 'live', scopes: [], createdBy: 't' },
    'tester',
  );
  const subject = { organizationId: id, keyId: key.id };
  await setLimits(db, { organizationId: id }, { perDay: 5_000 }, 'tester');
  const { keys } = await setLimits(db, subject, { perMinute: 10 }, 'tester');
  expect(keys).toEqual([{ keyId: key.id, override: { perMinute: 10 }, effective: { perMinute: 10, burst: 15, perDay: 5_000 } }]);
  expect(await findOrganizationLimits(db, id)).toEqual({
    plan: { perMinute: 100, burst: 150, perDay: 10_000, isShadow: false },
    override: { perDay: 5_000 },
    billingAnchorDay: 1,
    keyLimits: new Map([[key.id, { perMinute: 10 }]]),
  });
  await clearLimits(db, { organizationId: id }, 'tester');
  expect((await getLimits(db, id)).keys).toHaveLength(1);
  expect((await clearLimits(db, subject, 'tester')).keys).toEqual([]);
  const [entry] = await listAudit(db, { organizationId: id, limit: 1 });
  expect(entry).toMatchObject({ action: 'limits.clear', subjectKind: 'limits', subjectId: key.id, details: { key_id: key.id } });
});

test('limits that do not fit together in force are refused', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  const subject = { organizationId: id };
  for (const patch of [
    { perMinute: 20_000 },
    { perDay: 50 },
    { burst: 1_001 },
    { perMinute: 0 },
    { perDay: 1.5 },
    { perMonth: 1 },
    { perDay: 1e15 },
  ])
    await expect(setLimits(db, subject, patch, 'tester')).rejects.toBeInstanceOf(Invalid);
  expect((await getLimits(db, id)).override).toEqual({});
});

test('an organization change that the limits of a key do not fit is refused', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  const { key } = await createApiKey(
    db,
    { organizationId: id, name: 'k', environment: 'live', scopes: [], createdBy: 't' },
    'tester',
  );
  await setLimits(db, { organizationId: id, keyId: key.id }, { perMinute: 9_000 }, 'tester');
  await expect(setLimits(db, { organizationId: id }, { perDay: 5_000 }, 'tester')).rejects.toThrow(key.id);
});

test('the key of another organization is not found', async () => {
  const { db } = await openFresh();
  const [one, two] = [await anOrganization(db, 'one'), await anOrganization(db, 'two')];
  const { key } = await createApiKey(
    db,
    { organizationId: two.id, name: 'k', environment: 'live', scopes: [], createdBy: 't' },
    'tester',
  );
  await expect(setLimits(db, { organizationId: one.id, keyId: key.id }, { perMinute: 1 }, 'tester')).rejects.toBeInstanceOf(
    NotFound,
  );
  for (const text of [...HOSTILE_STRINGS, '\0']) {
    expect(await findOrganizationLimits(db, text)).toBeUndefined();
    await expect(setLimits(db, { organizationId: text }, { perMinute: 1 }, 'tester')).rejects.toBeInstanceOf(NotFound);
    await expect(setLimits(db, { organizationId: one.id, keyId: text }, { perMinute: 1 }, 'tester')).rejects.toBeInstanceOf(
      NotFound,
    );
  }
});

test('a plan is made whole, then changed part by part', async () => {
  const { db } = await openFresh();
  await expect(setPlan(db, 'gold', { perMinute: 10, perDay: 100 }, 'tester')).rejects.toThrow('needs');
  await setPlan(db, 'gold', { perMinute: 10, burst: 20, perDay: 100, perMonth: 1_000 }, 'tester');
  expect(await setPlan(db, 'gold', { perMinute: 50 }, 'tester')).toEqual({
    name: 'gold',
    perMinute: 50,
    burst: 100,
    perDay: 100,
    perMonth: 1_000,
    isShadow: false,
  });
  expect(await setPlan(db, 'gold', { perMonth: null }, 'tester')).toEqual({
    name: 'gold',
    perMinute: 50,
    burst: 100,
    perDay: 100,
    isShadow: false,
  });
  expect(await findPlan(db, 'gold')).toEqual({ name: 'gold', perMinute: 50, burst: 100, perDay: 100, isShadow: false });
  await expect(setPlan(db, 'gold', { perDay: 10 }, 'tester')).rejects.toBeInstanceOf(Invalid);
  for (const name of [...HOSTILE_STRINGS, '\0']) {
    await expect(setPlan(db, name, { perMinute: 1 }, 'tester')).rejects.toBeInstanceOf(Invalid);
    expect(await findPlan(db, name)).toBeUndefined();
  }
});

test('a plan change that an override of its organizations does not fit is refused and names the organization', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db, 'Acme');
  await setLimits(db, { organizationId: id }, { perMinute: 5_000 }, 'tester');
  await expect(setPlan(db, 'basic', { perDay: 1_000 }, 'tester')).rejects.toThrow(/organization Acme would not fit/);
  await expect(setPlan(db, 'basic', { perDay: 1_000 }, 'tester')).rejects.toBeInstanceOf(Conflict);
  expect(await findPlan(db, 'basic')).toMatchObject({ perDay: 10_000 });
});

test('an organization is in shadow as its plan says, unless it says otherwise itself', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  const isShadow = async () => (await getLimits(db, id)).isShadow;
  expect(await isShadow()).toBe(false);
  expect(await setPlan(db, 'basic', { isShadow: true }, 'tester')).toMatchObject({ isShadow: true, perMinute: 100 });
  expect(await isShadow()).toBe(true);
  expect((await setLimits(db, { organizationId: id }, { isShadow: false }, 'tester')).override).toEqual({ isShadow: false });
  expect(await isShadow()).toBe(false);
  expect(await findOrganizationLimits(db, id)).toMatchObject({ plan: { isShadow: true }, override: { isShadow: false } });
  expect((await setLimits(db, { organizationId: id }, { perMinute: 50 }, 'tester')).override).toEqual({
    perMinute: 50,
    isShadow: false,
  });
  expect((await clearLimits(db, { organizationId: id }, 'tester')).override).toEqual({});
  expect(await isShadow()).toBe(true);
  const entries = await listAudit(db, { organizationId: id, limit: 10 });
  expect(entries.map(({ details }) => details)).toContainEqual({ isShadow: false });
});

test('a key is put in shadow only with limits of its own', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  const wanted = { organizationId: id, name: 'k', environment: 'live', scopes: [], createdBy: 't' } as const;
  const { key } = await createApiKey(db, wanted, 'tester');
  const subject = { organizationId: id, keyId: key.id };
  await expect(setLimits(db, subject, { isShadow: true }, 'tester')).rejects.toBeInstanceOf(Invalid);
  expect((await setLimits(db, subject, { perMinute: 5, isShadow: true }, 'tester')).keys).toMatchObject([
    { override: { perMinute: 5, isShadow: true } },
  ]);
  await expect(setLimits(db, subject, { perMinute: null }, 'tester')).rejects.toBeInstanceOf(Invalid);
});

async function findPlan(db: Database, name: string) {
  return (await listPlans(db)).find((plan) => plan.name === name);
}

import { listAudit } from '@tollgate/postgres/audit';
import { Conflict, Invalid, NotFound } from '@tollgate/postgres/errors';
import { clearLimits, setLimits } from '@tollgate/postgres/limits';
import {
  createOrganization,
  findOrganization,
  listOrganizations,
  setOrganizationActive,
  updateOrganization,
} from '@tollgate/postgres/organizations';
import { expect, test } from 'vitest';
import { HOSTILE_STRINGS } from './hostile-strings.js';
import { anOrganization, openFresh } from './open-fresh.js';

test('an organization is found by its id and by its name in any case', async () => {
  const { db } = await openFresh();
  const acme = await anOrganization(db, '  Acme ');
  expect(acme).toMatchObject({
    name: 'Acme',
    plan: 'basic',
    isActive: true,
    billingAnchorDay: 1,
    limits: { perMinute: 100, burst: 150, perDay: 10_000 },
  });
  expect(acme.createdAt).toBeInstanceOf(Date);
  for (const reference of [acme.id, acme.id.toUpperCase(), 'Acme', 'ACME', ' acme'])
    expect(await findOrganization(db, reference)).toEqual(acme);
  expect(await findOrganization(db, 'nobody')).toBeUndefined();
});

test('a name that is taken in another case is a conflict', async () => {
  const { db } = await openFresh();
  await anOrganization(db, 'Acme');
  const other = await anOrganization(db, 'Other');
  await expect(anOrganization(db, 'aCME')).rejects.toBeInstanceOf(Conflict);
  await expect(updateOrganization(db, other.id, { name: 'acme' }, 'tester')).rejects.toBeInstanceOf(Conflict);
});

test('what cannot be stored is refused in words', async () => {
  const { db } = await openFresh();
  const create = (parts: object) => createOrganization(db, { name: 'A', plan: 'basic', billingAnchorDay: 1, ...parts }, 'tester');
  for (const name of ['', '   ', 'a\nb', 'a\0b', '\u009bx', '\ud800', 'x'.repeat(201), '11111111-1111-4111-8111-111111111111'])
    await expect(create({ name })).rejects.toBeInstanceOf(Invalid);
  for (const billingAnchorDay of [0, 32, 1.5, Number.NaN])
    await expect(create({ billingAnchorDay })).rejects.toBeInstanceOf(Invalid);
  for (const plan of ['gold', '', 'a\0b']) await expect(create({ plan })).rejects.toBeInstanceOf(NotFound);
  await expect(createOrganization(db, { name: 'A', plan: 'basic', billingAnchorDay: 1 }, '')).rejects.toBeInstanceOf(Invalid);
  expect(await listOrganizations(db)).toEqual([]);
});

test('hostile names come back as they were given', async () => {
  const { db } = await openFresh();
  for (const name of HOSTILE_STRINGS) {
    const { id } = await anOrganization(db, name);
    expect((await findOrganization(db, name))?.id).toBe(id);
  }
  expect(new Set((await listOrganizations(db)).map(({ name }) => name))).toEqual(new Set(HOSTILE_STRINGS));
});

test('a hostile reference finds nothing and breaks nothing', async () => {
  const { db } = await openFresh();
  for (const text of [...HOSTILE_STRINGS, '\0', '\ud800', '']) expect(await findOrganization(db, text)).toBeUndefined();
});

test('what was done, to what and by whom is in the audit log', async () => {
  const { db } = await openFresh();
  const { id } = await createOrganization(db, { name: 'Acme', plan: 'basic', billingAnchorDay: 31 }, 'alice');
  await updateOrganization(db, id, { plan: 'premium' }, 'bob');
  await setOrganizationActive(db, id, false, 'carol');
  await setOrganizationActive(db, id, false, 'carol');
  const entries = await listAudit(db, { organizationId: id, limit: 10 });
  expect(entries.map(({ actor, action, subjectId, details }) => ({ actor, action, subjectId, details }))).toEqual([
    { actor: 'carol', action: 'organization.suspend', subjectId: id, details: {} },
    { actor: 'bob', action: 'organization.update', subjectId: id, details: { plan: 'premium' } },
    {
      actor: 'alice',
      action: 'organization.create',
      subjectId: id,
      details: { name: 'Acme', plan: 'basic', billingAnchorDay: 31 },
    },
  ]);
});

test('a write whose audit entry fails is not written', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  await expect(setOrganizationActive(db, id, false, '\n')).rejects.toBeInstanceOf(Invalid);
  expect(await findOrganization(db, id)).toMatchObject({ isActive: true });
});

test('nobody changes the audit log', async () => {
  const { db } = await openFresh();
  await anOrganization(db);
  for (const sql of ["UPDATE audit_log SET actor = 'x'", 'DELETE FROM audit_log', 'TRUNCATE audit_log'])
    await expect(db.query(sql)).rejects.toThrow('append-only');
});

test('a plan that the overrides do not fit is refused, and the organization stays as it is', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db, 'Acme', 'enterprise');
  await setLimits(db, { organizationId: id }, { perMinute: 20_000 }, 'tester');
  await expect(updateOrganization(db, id, { plan: 'basic' }, 'tester')).rejects.toBeInstanceOf(Conflict);
  expect(await findOrganization(db, id)).toMatchObject({ plan: 'enterprise', limits: { perMinute: 20_000, burst: 30_000 } });
  await clearLimits(db, { organizationId: id }, 'tester');
  expect(await updateOrganization(db, id, { plan: 'basic' }, 'tester')).toMatchObject({
    plan: 'basic',
    limits: { perMinute: 100 },
  });
});

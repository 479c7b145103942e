import { createApiKey } from '@tollgate/postgres/api-keys';
import { getLimits, setLimits } from '@tollgate/postgres/limits';
import { migrateDown, migrateUp, migrationStatus } from '@tollgate/postgres/migrate';
import { setPlan } from '@tollgate/postgres/plans';
import { MIGRATIONS_FOLDER } from '@tollgate/testing/migrations-folder';
import { expect, test } from 'vitest';
import { anOrganization, openFresh } from './open-fresh.js';

test('0008 goes down and up again: what was in shadow is enforced, and no limit is lost', async () => {
  const { db, url } = await openFresh();
  const [shadowed, both] = [await anOrganization(db), await anOrganization(db, 'Both')];
  await setPlan(db, 'basic', { isShadow: true }, 'tester');
  await setLimits(db, { organizationId: shadowed.id }, { isShadow: true }, 'tester');
  await setLimits(db, { organizationId: both.id }, { perMinute: 50, isShadow: true }, 'tester');
  const options = { url, folder: MIGRATIONS_FOLDER };
  const { applied } = await migrationStatus(options);
  await migrateDown({ ...options, count: applied.length - applied.findIndex(({ name }) => name === '0008_shadow_limits') });
  await migrateUp(options);
  expect(await getLimits(db, shadowed.id)).toMatchObject({ isShadow: false, override: {}, plan: { isShadow: false } });
  expect(await getLimits(db, both.id)).toMatchObject({ isShadow: false, override: { perMinute: 50 } });
});

test('the table takes a row of nothing but a shadow for an organization, not for a key, and no row of nothing at all', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  await db.query('INSERT INTO rate_limit_configs (organization_id, is_shadow) VALUES ($1, true)', [id]);
  const wanted = { organizationId: id, name: 'k', environment: 'live', scopes: [], createdBy: 't' } as const;
  const { key } = await createApiKey(db, wanted, 'tester');
  const ofKey = 'INSERT INTO rate_limit_configs (organization_id, key_id, is_shadow) VALUES ($1, $2, true)';
  await expect(db.query(ofKey, [id, key.id])).rejects.toThrow('not_empty');
  await expect(db.query('UPDATE rate_limit_configs SET is_shadow = NULL')).rejects.toThrow('not_empty');
});

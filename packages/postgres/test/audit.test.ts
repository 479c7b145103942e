import { listAudit, recordAudit } from '@tollgate/postgres/audit';
import { Invalid } from '@tollgate/postgres/errors';
import { expect, test } from 'vitest';
import { anOrganization, openFresh } from './open-fresh.js';

test('the history of an organization is read page by page, newest first, and holds nobody else', async () => {
  const { db } = await openFresh();
  const { id } = await anOrganization(db);
  await anOrganization(db, 'Other');
  for (let i = 1; i <= 4; i++)
    await recordAudit(db, {
      actor: `actor ${i}`,
      action: 'test.done',
      subjectKind: 'limits',
      subjectId: 's',
      organizationId: id,
    });
  const pages = [await listAudit(db, { organizationId: id, limit: 2 })];
  while (pages.at(-1)?.length === 2)
    pages.push(await listAudit(db, { organizationId: id, limit: 2, beforeId: pages.at(-1)?.at(-1)?.id ?? '' }));
  expect(pages.flat().map(({ actor }) => actor)).toEqual(['actor 4', 'actor 3', 'actor 2', 'actor 1', 'tester']);
  expect(pages.flat().every(({ organizationId }) => organizationId === id)).toBe(true);
  expect(await listAudit(db, { organizationId: 'nobody', limit: 2 })).toEqual([]);
  await expect(listAudit(db, { beforeId: 'x', limit: 2 })).rejects.toBeInstanceOf(Invalid);
});

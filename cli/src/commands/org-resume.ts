import { setOrganizationActive } from '@tollgate/postgres/organizations';
import type { Command } from '../command.js';
import { ORGANIZATION_VIEW, organizationRow } from '../organization-view.js';
import { ORG_ID_OPTION, ORG_POSITIONAL, organizationOf } from '../subject.js';

export const orgResume: Command = {
  noun: 'org',
  verb: 'resume',
  positionals: ORG_POSITIONAL,
  describe: 'Lets a suspended organization in again.',
  example: 'tollgate org resume "Acme Ltd"',
  options: ORG_ID_OPTION,
  async run(args, { database, actor, output }) {
    const db = await database();
    const { id, isActive } = await organizationOf(args, db);
    if (isActive) output.say('It was active already.');
    output.one(organizationRow(await setOrganizationActive(db, id, true, await actor())), ORGANIZATION_VIEW);
  },
};

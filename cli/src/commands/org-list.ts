import { listOrganizations } from '@tollgate/postgres/organizations';
import type { Command } from '../command.js';
import { ORGANIZATION_VIEW, organizationRow } from '../organization-view.js';

export const orgList: Command = {
  noun: 'org',
  verb: 'list',
  describe: 'Lists all organizations by name.',
  example: 'tollgate org list -o json',
  async run(_args, { database, output }) {
    const organizations = await listOrganizations(await database());
    output.list(organizations.map(organizationRow), ORGANIZATION_VIEW);
  },
};

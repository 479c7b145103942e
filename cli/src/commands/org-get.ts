import type { Command } from '../command.js';
import { ORGANIZATION_VIEW, organizationRow } from '../organization-view.js';
import { ORG_ID_OPTION, ORG_POSITIONAL, organizationOf } from '../subject.js';

export const orgGet: Command = {
  noun: 'org',
  verb: 'get',
  positionals: ORG_POSITIONAL,
  describe: 'Shows an organization.',
  example: 'tollgate org get "Acme Ltd"',
  options: ORG_ID_OPTION,
  async run(args, { database, output }) {
    output.one(organizationRow(await organizationOf(args, await database())), ORGANIZATION_VIEW);
  },
};

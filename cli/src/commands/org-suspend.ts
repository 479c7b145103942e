import { setOrganizationActive } from '@tollgate/postgres/organizations';
import type { Command } from '../command.js';
import { ORGANIZATION_VIEW, organizationRow } from '../organization-view.js';
import { quoted } from '../printable.js';
import { ORG_ID_OPTION, ORG_POSITIONAL, organizationOf } from '../subject.js';

export const orgSuspend: Command = {
  noun: 'org',
  verb: 'suspend',
  positionals: ORG_POSITIONAL,
  describe: 'Refuses all requests of an organization from now on. Asks first.',
  example: 'tollgate org suspend "Acme Ltd" --yes',
  options: ORG_ID_OPTION,
  async run(args, { database, actor, confirm, output }) {
    const db = await database();
    const { id, name, isActive } = await organizationOf(args, db);
    if (isActive) await confirm(`Suspend ${quoted(name)} (${id})? Its requests are refused with 403 until it is resumed.`);
    else output.say('It was suspended already.');
    output.one(organizationRow(await setOrganizationActive(db, id, false, await actor())), ORGANIZATION_VIEW);
  },
};

import { updateOrganization } from '@tollgate/postgres/organizations';
import { textArgument, wholeNumber } from '../arguments.js';
import { wrongUse } from '../cli-error.js';
import type { Command } from '../command.js';
import { ORGANIZATION_VIEW, organizationRow } from '../organization-view.js';
import { ORG_ID_OPTION, ORG_POSITIONAL, organizationOf } from '../subject.js';

export const orgUpdate: Command = {
  noun: 'org',
  verb: 'update',
  positionals: ORG_POSITIONAL,
  describe: 'Changes what is given of an organization.',
  example: 'tollgate org update "Acme Ltd" --plan enterprise',
  options: {
    ...ORG_ID_OPTION,
    plan: { type: 'string', value: 'PLAN', describe: 'Another plan. Its limits hold at once.' },
    name: { type: 'string', value: 'NAME', describe: 'Another name.' },
    'billing-anchor-day': { type: 'string', value: 'D', describe: 'Another first day of the billing month, 1 to 31.' },
  },
  async run(args, { database, actor, output }) {
    const [plan, name, day] = [textArgument(args, 'plan'), textArgument(args, 'name'), wholeNumber(args, 'billing-anchor-day')];
    const patch = {
      ...(plan === undefined ? {} : { plan }),
      ...(name === undefined ? {} : { name }),
      ...(day === undefined ? {} : { billingAnchorDay: day }),
    };
    if (Object.keys(patch).length === 0) throw wrongUse('Say what to change: --plan, --name or --billing-anchor-day.');
    const db = await database();
    const { id } = await organizationOf(args, db);
    output.one(organizationRow(await updateOrganization(db, id, patch, await actor())), ORGANIZATION_VIEW);
  },
};

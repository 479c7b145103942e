import { createOrganization } from '@tollgate/postgres/organizations';
import { requiredText, wholeNumber } from '../arguments.js';
import type { Command } from '../command.js';
import { ORGANIZATION_VIEW, organizationRow } from '../organization-view.js';

export const orgCreate: Command = {
  noun: 'org',
  verb: 'create',
  describe: 'Makes an organization.',
  example: 'tollgate org create --name "Acme Ltd" --plan premium',
  options: {
    name: { type: 'string', value: 'NAME', describe: 'Unique; case does not matter.' },
    plan: { type: 'string', value: 'PLAN', default: 'basic', describe: 'The plan; plan list shows them.' },
    'billing-anchor-day': {
      type: 'string',
      value: 'D',
      default: '1',
      describe: 'Day of the month on which a billing month begins.',
    },
  },
  async run(args, { database, actor, output }) {
    const settings = {
      name: requiredText(args, 'name'),
      plan: requiredText(args, 'plan'),
      billingAnchorDay: wholeNumber(args, 'billing-anchor-day') ?? 1,
    };
    const organization = await createOrganization(await database(), settings, await actor());
    output.one(organizationRow(organization), ORGANIZATION_VIEW);
  },
};

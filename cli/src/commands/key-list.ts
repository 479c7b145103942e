import { listApiKeys } from '@tollgate/postgres/api-keys';
import { apiKeyListView, apiKeyRow } from '../api-key-view.js';
import { textArgument } from '../arguments.js';
import type { Command } from '../command.js';
import { isOrganizationGiven, ORG_OPTION, organizationOf } from '../subject.js';

export const keyList: Command = {
  noun: 'key',
  verb: 'list',
  describe: 'Lists keys, oldest first.',
  example: 'tollgate key list --org "Acme Ltd"',
  options: {
    ...ORG_OPTION,
    prefix: { type: 'string', value: 'P', describe: 'The beginning of the secret, of at most 12 characters.' },
  },
  async run(args, { database, output, now }) {
    const prefix = textArgument(args, 'prefix');
    const db = await database();
    const organization = isOrganizationGiven(args) ? await organizationOf(args, db) : undefined;
    const keys = await listApiKeys(db, {
      ...(organization === undefined ? {} : { organizationId: organization.id }),
      ...(prefix === undefined ? {} : { prefix }),
    });
    output.list(keys.map(apiKeyRow), apiKeyListView(now));
  },
};

import { getLimits } from '@tollgate/postgres/limits';
import type { Command } from '../command.js';
import { limitsRow, limitsView } from '../limits-view.js';
import { KEY_OPTION, keyIdWithin, ORG_ID_OPTION, ORG_POSITIONAL, organizationOf } from '../subject.js';

export const limitsGet: Command = {
  noun: 'limits',
  verb: 'get',
  positionals: ORG_POSITIONAL,
  describe: 'Shows the limits in force of an organization, and of its keys that have their own.',
  example: 'tollgate limits get "Acme Ltd"',
  options: { ...ORG_ID_OPTION, ...KEY_OPTION },
  formats: ['table', 'json', 'csv'],
  async run(args, { database, output }) {
    const db = await database();
    const organization = await organizationOf(args, db);
    const keyId = await keyIdWithin(args, db, organization);
    const row = limitsRow(await getLimits(db, organization.id), keyId);
    output.one(row, limitsView(row));
  },
};

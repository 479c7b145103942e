import { clearLimits } from '@tollgate/postgres/limits';
import type { Command } from '../command.js';
import { limitsRow, limitsView } from '../limits-view.js';
import { quoted } from '../printable.js';
import { KEY_OPTION, keyIdWithin, ORG_ID_OPTION, ORG_POSITIONAL, organizationOf } from '../subject.js';

export const limitsClear: Command = {
  noun: 'limits',
  verb: 'clear',
  positionals: ORG_POSITIONAL,
  describe: "Takes an organization's own limits away, so that its plan's hold again; or a key's own. Asks first.",
  example: 'tollgate limits clear "Acme Ltd" --yes',
  options: { ...ORG_ID_OPTION, ...KEY_OPTION },
  formats: ['table', 'json', 'csv'],
  async run(args, { database, actor, confirm, output }) {
    const db = await database();
    const organization = await organizationOf(args, db);
    const keyId = await keyIdWithin(args, db, organization);
    const whose = keyId === undefined ? quoted(organization.name) : `the key ${keyId}`;
    await confirm(`Take away the own limits of ${whose}?`);
    const subject = { organizationId: organization.id, ...(keyId === undefined ? {} : { keyId }) };
    const row = limitsRow(await clearLimits(db, subject, await actor()), keyId);
    output.one(row, limitsView(row));
  },
};

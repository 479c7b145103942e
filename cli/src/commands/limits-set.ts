import { setLimits } from '@tollgate/postgres/limits';
import type { Command } from '../command.js';
import { LIMIT_OPTIONS, quotaAdvice, requiredLimitsPatch } from '../limits-fields.js';
import { limitsInForce, limitsRow, limitsView } from '../limits-view.js';
import { KEY_OPTION, keyIdWithin, ORG_ID_OPTION, ORG_POSITIONAL, organizationOf } from '../subject.js';

export const limitsSet: Command = {
  noun: 'limits',
  verb: 'set',
  positionals: ORG_POSITIONAL,
  describe: "Gives an organization limits in place of its plan's, or a key limits of its own. What is not given stays.",
  example: 'tollgate limits set "Acme Ltd" --per-minute 600 --per-day 50000',
  options: { ...ORG_ID_OPTION, ...KEY_OPTION, ...LIMIT_OPTIONS },
  formats: ['table', 'json', 'csv'],
  async run(args, { database, actor, output }) {
    const patch = requiredLimitsPatch(args);
    const db = await database();
    const organization = await organizationOf(args, db);
    const keyId = await keyIdWithin(args, db, organization);
    const subject = { organizationId: organization.id, ...(keyId === undefined ? {} : { keyId }) };
    const found = await setLimits(db, subject, patch, await actor());
    const row = limitsRow(found, keyId);
    output.one(row, limitsView(row));
    output.say(quotaAdvice(limitsInForce(found, keyId)));
  },
};

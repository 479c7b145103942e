import type { Command } from '../command.js';
import { readCounters, tellCounters } from '../counters-subject.js';
import { KEY_OPTION, keyIdWithin, ORG_ID_OPTION, ORG_POSITIONAL, organizationOf } from '../subject.js';

export const countersGet: Command = {
  noun: 'counters',
  verb: 'get',
  positionals: ORG_POSITIONAL,
  describe: 'Shows what is left of the limits of an organization; with --key, of all limits that requests of this key must pass.',
  example: 'tollgate counters get "Acme Ltd"',
  options: { ...ORG_ID_OPTION, ...KEY_OPTION },
  formats: ['table', 'json', 'csv'],
  async run(args, { database, counters, output }) {
    const db = await database();
    const organization = await organizationOf(args, db);
    const keyId = await keyIdWithin(args, db, organization);
    tellCounters(output, await readCounters(db, await counters(), organization.id, keyId), organization.id, keyId);
  },
};

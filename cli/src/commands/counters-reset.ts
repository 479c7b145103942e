import { resetCounters } from '@tollgate/postgres/reset-counters';
import { CliError, EXIT } from '../cli-error.js';
import type { Command } from '../command.js';
import { limitsToPass, readCounters, tellCounters } from '../counters-subject.js';
import { isOfKey } from '../counters-view.js';
import { quoted } from '../printable.js';
import { KEY_OPTION, keyIdWithin, ORG_ID_OPTION, ORG_POSITIONAL, organizationOf } from '../subject.js';

export const countersReset: Command = {
  noun: 'counters',
  verb: 'reset',
  positionals: ORG_POSITIONAL,
  describe:
    'Gives an organization full buckets and unused quotas, or with --key one of its keys, as far as its limits are its own. Asks first.',
  example: 'tollgate counters reset "Acme Ltd" --yes',
  options: { ...ORG_ID_OPTION, ...KEY_OPTION },
  formats: ['table', 'json', 'csv'],
  async run(args, { database, counters, actor, confirm, output }) {
    const db = await database();
    const organization = await organizationOf(args, db);
    const { id: organizationId, name } = organization;
    const keyId = await keyIdWithin(args, db, organization);
    const toPass = await limitsToPass(db, organizationId, keyId);
    const limitIds = toPass.map(({ store }) => store).filter((store) => isOfKey(store) === (keyId !== undefined));
    if (limitIds.length === 0) throw new CliError('not_found', EXIT.notFound, 'The key has no limits of its own.');
    const whose = keyId === undefined ? quoted(name) : `the key ${keyId}`;
    await confirm(`Forget what ${whose} has used of its limits?`);
    const open = await counters();
    const wanted = { organizationId, ...(keyId === undefined ? {} : { keyId }), limitIds: limitIds.map(({ id }) => id) };
    await resetCounters(db, wanted, await actor(), open.reset);
    tellCounters(output, await readCounters(db, open, organizationId, keyId), organizationId, keyId);
  },
};

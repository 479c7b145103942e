import { revokeApiKey } from '@tollgate/postgres/api-keys';
import { apiKeyRow, apiKeyView } from '../api-key-view.js';
import { textArgument } from '../arguments.js';
import type { Command } from '../command.js';
import { quoted } from '../printable.js';
import { apiKeyOf, KEY_ID_OPTION, KEY_POSITIONAL, requiredKey } from '../subject.js';

export const keyRevoke: Command = {
  noun: 'key',
  verb: 'revoke',
  positionals: KEY_POSITIONAL,
  describe: 'Refuses a key from now on, for ever. Asks first. A revoked key keeps its time and its reason.',
  example: 'tollgate key revoke 0f8fad5b-d9cb-469f-a165-70867728950e --reason "was in a public repository" --yes',
  options: { ...KEY_ID_OPTION, reason: { type: 'string', value: 'R', describe: 'Why, for the audit log.' } },
  async run(args, { database, actor, confirm, output, now }) {
    requiredKey(args);
    const reason = textArgument(args, 'reason');
    const db = await database();
    const { id, name, prefix, revokedAt } = await apiKeyOf(args, db);
    if (revokedAt === undefined || revokedAt > now)
      await confirm(`Revoke the key ${quoted(name)} (${prefix}…)? Its requests are refused for ever.`);
    const { key, wasRevoked } = await revokeApiKey(db, id, reason, await actor());
    if (wasRevoked) output.say('It was revoked already: nothing was changed.');
    // Revoked after this command's own "now": shown as it is from here on.
    output.one(apiKeyRow(key), apiKeyView(key.revokedAt ?? now));
  },
};

import { rotateApiKey } from '@tollgate/postgres/rotate-api-key';
import { apiKeyRow, rotatedApiKeyView } from '../api-key-view.js';
import { durationMs } from '../arguments.js';
import type { Command } from '../command.js';
import { quoted } from '../printable.js';
import { apiKeyOf, KEY_ID_OPTION, KEY_POSITIONAL, requiredKey } from '../subject.js';

const DEFAULT_OVERLAP = '24h';

export const keyRotate: Command = {
  noun: 'key',
  verb: 'rotate',
  positionals: KEY_POSITIONAL,
  describe:
    'Makes a key in the place of another and prints its secret, the only time that anyone sees it. The old one goes on for the overlap.',
  example: 'tollgate key rotate 0f8fad5b-d9cb-469f-a165-70867728950e --overlap 7d',
  options: {
    ...KEY_ID_OPTION,
    overlap: {
      type: 'string',
      value: 'TIME',
      default: DEFAULT_OVERLAP,
      describe: 'How long the old key goes on, such as 30m, 24h or 7d; 0 refuses it at once, and asks first.',
    },
  },
  // Ids alone would lose the secret for ever.
  formats: ['table', 'json', 'csv'],
  async run(args, { database, actor, confirm, output, now }) {
    requiredKey(args);
    const overlapMs = durationMs(args, 'overlap') ?? 0;
    const db = await database();
    const { id, name, prefix } = await apiKeyOf(args, db);
    if (overlapMs === 0)
      await confirm(
        `Rotate the key ${quoted(name)} (${prefix}…) without an overlap? Requests with the old one are refused at once.`,
      );
    const { secret, key, rotated } = await rotateApiKey(db, id, { overlapMs }, await actor());
    const ends = [rotated.revokedAt, rotated.expiresAt].flatMap((end) => end?.getTime() ?? []);
    const endsAt = new Date(Math.min(...ends)).toISOString();
    output.one({ ...apiKeyRow(key), key: secret, old_key_ends_at: endsAt }, rotatedApiKeyView(now));
    output.say('The key is shown this once: store it now. Only its hash is kept.');
    output.say(`The old key, ${id}, ${overlapMs === 0 ? 'is refused from now on' : `ends at ${endsAt}`}.`);
  },
};

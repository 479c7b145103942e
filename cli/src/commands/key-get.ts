import { apiKeyRow, apiKeyView } from '../api-key-view.js';
import type { Command } from '../command.js';
import { apiKeyOf, KEY_ID_OPTION, KEY_POSITIONAL, requiredKey } from '../subject.js';

export const keyGet: Command = {
  noun: 'key',
  verb: 'get',
  positionals: KEY_POSITIONAL,
  describe: 'Shows a key, without its secret.',
  example: 'tollgate key get 0f8fad5b-d9cb-469f-a165-70867728950e',
  options: KEY_ID_OPTION,
  async run(args, { database, output, now }) {
    requiredKey(args);
    output.one(apiKeyRow(await apiKeyOf(args, await database())), apiKeyView(now));
  },
};

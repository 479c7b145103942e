import type { Environment } from '@tollgate/domain/api-key';
import { createApiKey } from '@tollgate/postgres/api-keys';
import { apiKeyRow, newApiKeyView } from '../api-key-view.js';
import { requiredText, textArgument, utcTime } from '../arguments.js';
import type { Command } from '../command.js';
import { ORG_OPTION, organizationOf } from '../subject.js';

export const keyCreate: Command = {
  noun: 'key',
  verb: 'create',
  describe: 'Makes a key and prints its secret: the only time that anyone sees it.',
  example: 'tollgate key create --org "Acme Ltd" --name backend --expires 2030-01-31 --scopes orders:read,orders:write',
  options: {
    ...ORG_OPTION,
    name: { type: 'string', value: 'NAME', describe: 'What the key is for.' },
    env: { type: 'string', choices: ['live', 'test'], default: 'live', describe: 'Requests of test keys are never billed.' },
    expires: { type: 'string', value: 'DATE', describe: 'A UTC day or moment, at which the key ends.' },
    scopes: { type: 'string', value: 'A,B', describe: 'What routes may demand of the key.' },
    'created-by': { type: 'string', value: 'WHO', describe: 'Whom to ask about it; default: who runs this.' },
  },
  // Ids alone would lose the secret for ever.
  formats: ['table', 'json', 'csv'],
  async run(args, { database, actor, output, now }) {
    const name = requiredText(args, 'name');
    const expiresAt = utcTime(args, 'expires');
    const scopes = textArgument(args, 'scopes')?.split(',') ?? [];
    const createdBy = textArgument(args, 'created-by') ?? (await actor());
    const db = await database();
    const { id: organizationId } = await organizationOf(args, db);
    const { secret, key } = await createApiKey(
      db,
      {
        organizationId,
        name,
        environment: requiredText(args, 'env') as Environment,
        ...(expiresAt === undefined ? {} : { expiresAt }),
        scopes: scopes.map((scope) => scope.trim()).filter((scope) => scope !== ''),
        createdBy,
      },
      await actor(),
    );
    output.one({ ...apiKeyRow(key), key: secret }, newApiKeyView(now));
    output.say('The key is shown this once: store it now. Only its hash is kept.');
  },
};

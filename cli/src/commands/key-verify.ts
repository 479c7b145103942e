import { apiKeyEnvironment, hashApiKey } from '@tollgate/domain/api-key';
import { ERRORS, type ErrorCode } from '@tollgate/domain/error-code';
import { couldBeForeignKey } from '@tollgate/domain/foreign-key';
import { type KeyRecord, keyDenial } from '@tollgate/domain/judge-key';
import { findKeyByHash } from '@tollgate/postgres/api-keys';
import { Unhappy, wrongUse } from '../cli-error.js';
import type { Command } from '../command.js';
import { column, type Row, type View } from '../view.js';

export const keyVerify: Command = {
  noun: 'key',
  verb: 'verify',
  describe: 'Says whether the gateway would let a key in, and why not. Reads the key from stdin; exit code 1 where it would not.',
  example: 'tollgate key verify < key.txt',
  formats: ['table', 'json', 'csv'],
  async run(_args, { readSecret, database, output, now }) {
    const secret = await readSecret('Paste the key and press Enter (it is not shown):');
    if (secret === '') throw wrongUse('No key came by stdin.');
    const isOurs = apiKeyEnvironment(secret) !== undefined;
    const mayExist = isOurs || couldBeForeignKey(secret);
    const key = mayExist ? await findKeyByHash(await database(), hashApiKey(secret)) : undefined;
    if (key === undefined) return tell(output.one, isOurs ? 'invalid_api_key' : 'malformed_api_key', undefined);
    tell(output.one, keyDenial(key, now.getTime()), key, isOurs ? LET_IN : LET_IN_IF_FOREIGN);
  },
};

const LET_IN = 'The gateway lets this key in.';
/** Which is a setting of each authz, and not known here. */
const LET_IN_IF_FOREIGN = 'The gateway lets this key in where authz runs with ACCEPT_FOREIGN_KEYS=true: another system made it.';

function tell(
  print: (row: Row, view: View) => void,
  code: ErrorCode | undefined,
  key: KeyRecord | undefined,
  letIn = LET_IN,
): void {
  const row = {
    valid: code === undefined,
    code: code ?? null,
    message: code === undefined ? letIn : ERRORS[code].message,
    key_id: key?.id ?? null,
    organization_id: key?.organizationId ?? null,
    environment: key?.environment ?? null,
    plan: key?.plan ?? null,
    scopes: key?.scopes ?? null,
  };
  print(row, VIEW);
  if (code !== undefined) throw new Unhappy();
}

const VIEW: View = {
  columns: [
    { title: 'Valid', value: (row) => (row['valid'] === true ? 'yes' : 'no') },
    column('Why', 'message'),
    column('Code', 'code'),
    column('Key', 'key_id'),
    column('Organization', 'organization_id'),
    column('Environment', 'environment'),
    column('Plan', 'plan'),
    { title: 'Scopes', value: (row) => ((row['scopes'] ?? []) as string[]).join(' ') || '-' },
  ],
  fields: ['valid', 'code', 'message', 'key_id', 'organization_id', 'environment', 'plan', 'scopes'],
};

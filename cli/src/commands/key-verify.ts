import { apiKeyEnvironment, hashApiKey } from '@tollgate/domain/api-key';
import { ERRORS, type ErrorCode } from '@tollgate/domain/error-code';
import { type KeyRecord, keyDenial } from '@tollgate/domain/judge-key';
import { findKeyByHash } from '@tollgate/postgres/api-keys';
import { Unhappy, wrongUse } from '../cli-error.js';
import type { Command } from '../command.js';
import { DENIAL_CODES } from '../denial-code.js';
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
    if (apiKeyEnvironment(secret) === undefined) return tell(output.one, 'malformed_api_key', undefined);
    const key = await findKeyByHash(await database(), hashApiKey(secret));
    if (key === undefined) return tell(output.one, 'invalid_api_key', undefined);
    const denial = keyDenial(key, now.getTime());
    tell(output.one, denial && DENIAL_CODES[denial], key);
  },
};

function tell(print: (row: Row, view: View) => void, code: ErrorCode | undefined, key: KeyRecord | undefined): void {
  const row = {
    valid: code === undefined,
    code: code ?? null,
    message: code === undefined ? 'The gateway lets this key in.' : ERRORS[code].message,
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

import { isUuid } from '@tollgate/domain/uuid';
import { type ApiKey, findApiKey } from '@tollgate/postgres/api-keys';
import type { Sql } from '@tollgate/postgres/database';
import { findKeyIdsByPrefix } from '@tollgate/postgres/key-prefix';
import { findOrganization, type Organization } from '@tollgate/postgres/organizations';
import { textArgument } from './arguments.js';
import { CliError, EXIT, wrongUse } from './cli-error.js';
import type { Arguments, Option } from './command.js';
import { quoted } from './printable.js';

export const ORG_POSITIONAL = { org: 'The id or the name of the organization.' };
export const ORG_ID_OPTION = { 'org-id': { type: 'string', value: 'ORG', describe: 'The same as ORG.' } } satisfies Record<
  string,
  Option
>;
export const ORG_OPTION = {
  org: { type: 'string', value: 'ORG', describe: 'The id or the name of the organization.' },
  'org-id': { type: 'string', value: 'ORG', describe: 'The same as --org.' },
} satisfies Record<string, Option>;

export const KEY_POSITIONAL = { key: 'The id of the key, or the first 12 characters of its secret.' };
export const KEY_ID_OPTION = { 'key-id': { type: 'string', value: 'KEY', describe: 'The same as KEY.' } } satisfies Record<
  string,
  Option
>;
export const KEY_OPTION = {
  key: { type: 'string', value: 'KEY', describe: 'A key by its id or its first 12 characters: its own limits.' },
  'key-id': { type: 'string', value: 'KEY', describe: 'The same as --key.' },
} satisfies Record<string, Option>;

/** The organization that ORG, --org or --org-id names. */
export async function organizationOf(args: Arguments, db: Sql): Promise<Organization> {
  const text = eitherOf(args, 'org');
  if (text === undefined) throw wrongUse('Say which organization: its id or its name.');
  const found = await findOrganization(db, text);
  if (found === undefined) throw new CliError('not_found', EXIT.notFound, `There is no organization ${quoted(text)}.`);
  return found;
}

export function isOrganizationGiven(args: Arguments): boolean {
  return eitherOf(args, 'org') !== undefined;
}

/** The key that KEY or --key-id names. */
export async function apiKeyOf(args: Arguments, db: Sql): Promise<ApiKey> {
  return keyNamed(requiredKey(args), db);
}

/** The id of the key that --key or --key-id names, which must be the organization's; undefined where none does. */
export async function keyIdWithin(args: Arguments, db: Sql, organization: Organization): Promise<string | undefined> {
  if (eitherOf(args, 'key') === undefined) return undefined;
  const name = requiredKey(args);
  const { id, organizationId } = await keyNamed(name, db);
  if (organizationId === organization.id) return id;
  throw new CliError('not_found', EXIT.notFound, `${quoted(organization.name)} has no such key.`);
}

/** An id, or the beginning of a secret as it is stored. */
type KeyName = { id: string } | { prefix: string };

const PREFIX = /^[!-~]{12}$/;
const MAX_CANDIDATES = 10;

/** Before anything is opened, so that a typo is told even where no database answers. */
export function requiredKey(args: Arguments): KeyName {
  const text = eitherOf(args, 'key');
  if (text === undefined) throw wrongUse('Say which key: its id, as key list shows it.');
  if (isUuid(text.toLowerCase())) return { id: text.toLowerCase() };
  if (PREFIX.test(text)) return { prefix: text };
  // Never repeated: it is likely to be a whole secret.
  throw wrongUse('KEY takes an id such as 0f8fad5b-d9cb-469f-a165-70867728950e, or the first 12 characters of a secret.');
}

async function keyNamed(name: KeyName, db: Sql): Promise<ApiKey> {
  const id = 'id' in name ? name.id : await onlyIdOf(name.prefix, db);
  const found = await findApiKey(db, id);
  if (found !== undefined) return found;
  throw new CliError('not_found', EXIT.notFound, `There is no key ${quoted(id)}.`);
}

async function onlyIdOf(prefix: string, db: Sql): Promise<string> {
  const ids = await findKeyIdsByPrefix(db, prefix, MAX_CANDIDATES + 1);
  const [only, other] = ids;
  if (only === undefined) throw new CliError('not_found', EXIT.notFound, 'No key begins with these characters.');
  if (other === undefined) return only;
  const keys = await Promise.all(ids.slice(0, MAX_CANDIDATES).map((id) => findApiKey(db, id)));
  const lines = keys.map((key) => `\n  ${key?.id} ${quoted(key?.name ?? '')}`);
  const more = ids.length > MAX_CANDIDATES ? '\n  and more' : '';
  throw new CliError('conflict', EXIT.conflict, `Several keys begin so; name one by its id:${lines.join('')}${more}`);
}

function eitherOf(args: Arguments, name: 'org' | 'key'): string | undefined {
  const [text, same] = [textArgument(args, name), textArgument(args, `${name}-id`)];
  if (text !== undefined && same !== undefined)
    throw wrongUse(`${name.toUpperCase()} and --${name}-id mean the same: keep one of them.`);
  return text ?? same;
}

import { type ApiKey, findApiKey } from '@tollgate/postgres/api-keys';
import type { Sql } from '@tollgate/postgres/database';
import { findOrganization, type Organization } from '@tollgate/postgres/organizations';
import { textArgument, uuidArgument } from './arguments.js';
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

export const KEY_POSITIONAL = { key: 'The id of the key.' };
export const KEY_ID_OPTION = { 'key-id': { type: 'string', value: 'KEY', describe: 'The same as KEY.' } } satisfies Record<
  string,
  Option
>;
export const KEY_OPTION = {
  key: { type: 'string', value: 'KEY', describe: 'The id of a key: its own limits.' },
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

/** The id that KEY, --key or --key-id names; undefined where none does. */
function keyIdOf(args: Arguments): string | undefined {
  const text = eitherOf(args, 'key');
  return text === undefined ? undefined : uuidArgument(text, 'KEY');
}

export async function apiKeyOf(args: Arguments, db: Sql): Promise<ApiKey> {
  const found = await findApiKey(db, requiredKeyId(args));
  if (found === undefined) throw new CliError('not_found', EXIT.notFound, `There is no key ${quoted(requiredKeyId(args))}.`);
  return found;
}

/** The id of the key that --key or --key-id names, which must be the organization's; undefined where none does. */
export async function keyIdWithin(args: Arguments, db: Sql, organization: Organization): Promise<string | undefined> {
  const id = keyIdOf(args);
  if (id === undefined) return undefined;
  const found = await findApiKey(db, id);
  if (found?.organizationId === organization.id) return id;
  throw new CliError('not_found', EXIT.notFound, `${quoted(organization.name)} has no key ${quoted(id)}.`);
}

/** Before anything is opened, so that a typo is told even where no database answers. */
export function requiredKeyId(args: Arguments): string {
  const id = keyIdOf(args);
  if (id === undefined) throw wrongUse('Say which key: its id, as key list shows it.');
  return id;
}

function eitherOf(args: Arguments, name: 'org' | 'key'): string | undefined {
  const [text, same] = [textArgument(args, name), textArgument(args, `${name}-id`)];
  if (text !== undefined && same !== undefined)
    throw wrongUse(`${name.toUpperCase()} and --${name}-id mean the same: keep one of them.`);
  return text ?? same;
}

import { apiKeyEnvironment, hashApiKey } from '@tollgate/domain/api-key';
import { ERRORS } from '@tollgate/domain/error-code';
import type { LimitsOverride } from '@tollgate/domain/limits';
import { demandedScopes } from '@tollgate/domain/scope';
import { type AppliedLimit, appliedLimits, type Window } from '@tollgate/limit-store/applied-limits';
import { decide } from '@tollgate/limit-store/decide';
import { type ApiKey, findApiKeyByHash } from '@tollgate/postgres/api-keys';
import type { Sql } from '@tollgate/postgres/database';
import { findOrganizationLimits } from '@tollgate/postgres/limits';
import { getOrganization } from '@tollgate/postgres/organizations';
import { textArgument, wholeNumber } from '../arguments.js';
import { CliError, EXIT, wrongUse } from '../cli-error.js';
import type { Command, Context } from '../command.js';
import { counterRows, isOfKey } from '../counters-view.js';
import { authorizationOf, nextRequestOf } from '../explanation.js';
import { explanationView } from '../explanation-view.js';
import { apiKeyOf, KEY_ID_OPTION, KEY_POSITIONAL, requiredKey } from '../subject.js';
import type { Row } from '../view.js';

export const countersExplain: Command = {
  noun: 'counters',
  verb: 'explain',
  positionals: KEY_POSITIONAL,
  describe:
    'Says what the next request with a key would get, and why: by the rules of authz and the limiter, with nothing taken. Without KEY, the key itself comes by stdin.',
  example: 'tollgate counters explain sk_live_4k2m',
  options: {
    ...KEY_ID_OPTION,
    scope: { type: 'string', value: 'SCOPES', describe: 'What the route demands, parted by commas.' },
    cost: { type: 'string', value: 'N', default: '1', describe: 'What the request costs.' },
  },
  formats: ['table', 'json', 'csv'],
  async run(args, context) {
    const cost = wholeNumber(args, 'cost') ?? 1;
    const demanded = demandedScopes(textArgument(args, 'scope') ?? '');
    if (demanded === undefined) throw wrongUse('--scope takes scopes such as orders:read, parted by commas.');
    const isNamed = args['key'] !== undefined || args['key-id'] !== undefined;
    if (isNamed) requiredKey(args);
    const db = await context.database();
    const key = isNamed ? await apiKeyOf(args, db) : await pastedKey(context, db);
    const row = await explained(context, key, { db, cost, demanded });
    context.output.one(row, explanationView(row));
  },
};

async function pastedKey({ readSecret }: Context, db: Sql): Promise<ApiKey> {
  const secret = await readSecret('Paste the key and press Enter (it is not shown):');
  if (secret === '') throw wrongUse('No key came by stdin: name it by its id or its first 12 characters, or pipe it in.');
  const key = await findApiKeyByHash(db, hashApiKey(secret));
  if (key !== undefined) return key;
  const code = apiKeyEnvironment(secret) === undefined ? 'malformed_api_key' : 'invalid_api_key';
  const { status, message } = ERRORS[code];
  throw new CliError('not_found', EXIT.notFound, `There is no such key; the gateway answers ${status} ${code}: ${message}`);
}

interface Question {
  db: Sql;
  cost: number;
  demanded: readonly string[];
}

async function explained({ counters, now }: Context, key: ApiKey, { db, cost, demanded }: Question): Promise<Row> {
  const organization = await getOrganization(db, key.organizationId);
  const found = await findOrganizationLimits(db, key.organizationId);
  if (found === undefined) throw new CliError('not_found', EXIT.notFound, 'The organization of this key is gone.');
  const { shown, store } = appliedLimits(found, key.id, undefined);
  const looked = await (await counters()).look({ organizationId: organization.id, cost, limits: store });
  const decision = decide(shown, { ...looked, isDegraded: false });
  const authorization = authorizationOf(key, organization, demanded, now.getTime());
  const { code, message, missingScopes } = authorization;
  return {
    key_id: key.id,
    prefix: key.prefix,
    name: key.name,
    environment: key.environment,
    scopes: key.scopes,
    organization_id: organization.id,
    organization: organization.name,
    plan: organization.plan,
    authorization: { allowed: code === null, code, message, missing_scopes: missingScopes },
    limits: counterRows(shown, looked).map((row, i) => ({ ...row, source: sourceOf(shown[i], found.override) })),
    next_request: nextRequestOf(authorization, decision),
  };
}

const PARTS: Record<Window, readonly (keyof LimitsOverride)[]> = {
  minute: ['perMinute', 'burst'],
  day: ['perDay'],
  month: ['perMonth'],
};

/** Whose word a limit is: the plan's, unless the organization or the key has said otherwise. */
function sourceOf(limit: AppliedLimit | undefined, override: LimitsOverride): 'plan' | 'organization' | 'key' {
  if (limit !== undefined && isOfKey(limit.store)) return 'key';
  return limit !== undefined && PARTS[limit.window].some((part) => override[part] !== undefined) ? 'organization' : 'plan';
}

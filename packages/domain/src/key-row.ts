/** One key as it is imported and exported: by its hash, never its secret. */
import type { Environment } from './api-key.js';
import { isGrant, MAX_SCOPES } from './scope.js';
import { isUuid } from './uuid.js';

export interface KeyRow {
  /** Without one it gets a new one. */
  id?: string;
  /** The id or the name of the organization. */
  organization: string;
  name: string;
  environment: Environment;
  /** SHA-256 of the secret in lower-case hex. */
  keyHash: string;
  /** The first characters of the secret, at most 12. */
  prefix: string;
  scopes: string[];
  createdAt?: Date;
  createdBy?: string;
  expiresAt?: Date;
  revokedAt?: Date;
  revokedReason?: string;
}

/** The columns of a file, in the order in which they are written. */
export const KEY_FIELDS = [
  'id',
  'organization',
  'name',
  'environment',
  'key_hash',
  'prefix',
  'scopes',
  'created_at',
  'created_by',
  'expires_at',
  'revoked_at',
  'revoked_reason',
] as const;
export type KeyField = (typeof KEY_FIELDS)[number];

/** What a file says of a key. Text, but for scopes in JSON; what is null, empty or left out is not said. */
export type KeyFields = Partial<Record<KeyField, unknown>>;

const HASH = /^[0-9a-f]{64}$/;
const PREFIX = /^[!-~]{1,12}$/;
const OUR_ENVIRONMENT = /^sk_(live|test)_/;
/** PostgreSQL and JavaScript agree about these years. */
const TIME = /^(19[7-9]\d|[2-9]\d{3})-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

/** The key that the fields describe, or everything that is wrong with them. No problem repeats a value: it may be a secret. */
export function keyRowFrom(fields: KeyFields): KeyRow | { problems: string[] } {
  const problems = Object.keys(fields).flatMap((field) => (isKeyField(field) ? [] : [unknownField(field)]));
  const { text, needed, optional, time } = fieldReader(fields, problems);
  const row = {
    id: optional('id', isUuidInAnyCase, 'a UUID')?.toLowerCase(),
    organization: needed('organization'),
    name: needed('name'),
    environment: needed('environment', isEnvironment, 'live or test'),
    keyHash: needed('key_hash', isHash, 'SHA-256 in hex')?.toLowerCase(),
    prefix: needed('prefix', (value) => PREFIX.test(value), '1 to 12 visible characters'),
    scopes: scopesFrom(fields.scopes, problems),
    createdAt: time('created_at'),
    createdBy: text('created_by'),
    expiresAt: time('expires_at'),
    revokedAt: time('revoked_at'),
    revokedReason: text('revoked_reason'),
  };
  problems.push(...contradictions(row));
  if (problems.length > 0) return { problems };
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as unknown as KeyRow;
}

/** The fields of a key as a file holds them; null is what there is not. {@link keyRowFrom} gets the same key back. */
export function keyFieldsOf(row: KeyRow): Record<KeyField, string | string[] | null> {
  return {
    id: row.id ?? null,
    organization: row.organization,
    name: row.name,
    environment: row.environment,
    key_hash: row.keyHash,
    prefix: row.prefix,
    scopes: row.scopes,
    created_at: row.createdAt?.toISOString() ?? null,
    created_by: row.createdBy ?? null,
    expires_at: row.expiresAt?.toISOString() ?? null,
    revoked_at: row.revokedAt?.toISOString() ?? null,
    revoked_reason: row.revokedReason ?? null,
  };
}

export function isKeyField(text: string): text is KeyField {
  return (KEY_FIELDS as readonly string[]).includes(text);
}

/** Named only where it looks like the name of a field: in a file without a header it could be a secret. */
export function unknownField(name: string): string {
  return /^[a-z]+(_[a-z]+){0,3}$/.test(name) && name.length <= 30
    ? `there is no field "${name}"`
    : 'there is a field without a known name';
}

function fieldReader(fields: KeyFields, problems: string[]) {
  const text = (field: KeyField): string | undefined => {
    const value = fields[field];
    if (isUnset(value)) return undefined;
    if (typeof value === 'string') return value;
    problems.push(`${field} must be text`);
    return undefined;
  };
  const optional = (field: KeyField, isRight: (value: string) => boolean, what: string): string | undefined => {
    const value = text(field);
    if (value === undefined || isRight(value)) return value;
    problems.push(`${field} must be ${what}`);
    return undefined;
  };
  const needed = (field: KeyField, isRight: (value: string) => boolean = () => true, what = 'text'): string | undefined => {
    if (isUnset(fields[field])) problems.push(`${field} is missing`);
    return optional(field, isRight, what);
  };
  const time = (field: KeyField): Date | undefined => {
    const value = optional(field, isTime, 'a time such as 2026-11-23T09:59:48Z');
    return value === undefined ? undefined : new Date(value);
  };
  return { text, optional, needed, time };
}

function contradictions(row: {
  environment: string | undefined;
  prefix: string | undefined;
  createdAt: Date | undefined;
  expiresAt: Date | undefined;
  revokedAt: Date | undefined;
  revokedReason: string | undefined;
}): string[] {
  const ours = OUR_ENVIRONMENT.exec(row.prefix ?? '')?.[1];
  const isOther = ours !== undefined && row.environment !== undefined && ours !== row.environment;
  const isBackwards = row.expiresAt !== undefined && row.createdAt !== undefined && row.expiresAt <= row.createdAt;
  return [
    ...(isOther ? ['prefix is of the other environment'] : []),
    ...(isBackwards ? ['expires_at must lie after created_at'] : []),
    ...(row.revokedReason !== undefined && row.revokedAt === undefined ? ['revoked_reason needs revoked_at'] : []),
  ];
}

function isUnset(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function isUuidInAnyCase(value: string): boolean {
  return isUuid(value.toLowerCase());
}

function isEnvironment(value: string): boolean {
  return value === 'live' || value === 'test';
}

function isHash(value: string): boolean {
  return HASH.test(value.toLowerCase());
}

/** Date.parse takes the 31st of February for a day in March. */
function isTime(value: string): boolean {
  if (!TIME.test(value) || Number.isNaN(Date.parse(value))) return false;
  const day = new Date(`${value.slice(0, 10)}T00:00:00Z`);
  return day.getUTCDate() === Number(value.slice(8, 10));
}

/** A list in JSON; elsewhere words parted by blanks or commas. Sorted and each once. */
function scopesFrom(value: unknown, problems: string[]): string[] {
  const words = Array.isArray(value)
    ? (value as unknown[])
    : isUnset(value)
      ? []
      : typeof value === 'string'
        ? split(value)
        : undefined;
  const scopes = words?.filter((word): word is string => typeof word === 'string' && isGrant(word));
  if (words === undefined || scopes === undefined || scopes.length !== words.length)
    problems.push('scopes must be a list of scopes');
  if ((words?.length ?? 0) > MAX_SCOPES) problems.push(`a key has at most ${MAX_SCOPES} scopes`);
  return [...new Set(scopes)].sort((a, b) => (a < b ? -1 : 1));
}

function split(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '');
}

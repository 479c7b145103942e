import type { ApiKey } from '@tollgate/postgres/api-keys';
import { plain } from './printable.js';
import { column, type Row, timeColumn, type View } from './view.js';

export function apiKeyRow(key: ApiKey): Row {
  return {
    id: key.id,
    organization_id: key.organizationId,
    name: key.name,
    environment: key.environment,
    prefix: key.prefix,
    scopes: key.scopes,
    created_at: key.createdAt.toISOString(),
    created_by: key.createdBy,
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    revoked_reason: key.revokedReason ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
    rotated_from: key.rotatedFrom ?? null,
    replaced_by: key.replacedBy ?? null,
  };
}

const FIELDS = [
  'id',
  'organization_id',
  'name',
  'environment',
  'prefix',
  'scopes',
  'created_at',
  'created_by',
  'expires_at',
  'revoked_at',
  'revoked_reason',
  'last_used_at',
  'rotated_from',
  'replaced_by',
];

/** The pair of a rotation in one column, since most keys have none. */
const ROTATION = {
  title: 'Rotation',
  value: (row: Row) => {
    const [from, by] = [row['rotated_from'], row['replaced_by']];
    const words = [...(from === null ? [] : [`from ${plain(from)}`]), ...(by === null ? [] : [`replaced by ${plain(by)}`])];
    return words.join(', ') || '-';
  },
};
const SCOPES = { title: 'Scopes', value: (row: Row) => (row['scopes'] as string[]).join(' ') || '-' };

/** `now` decides what has expired. */
export function apiKeyListView(now: Date): View {
  return {
    columns: [
      column('Id', 'id'),
      column('Name', 'name'),
      column('Prefix', 'prefix'),
      { title: 'State', value: (row) => stateOf(row, now) },
      column('Organization', 'organization_id'),
      timeColumn('Expires', 'expires_at'),
      timeColumn('Last used', 'last_used_at'),
      SCOPES,
      ROTATION,
    ],
    fields: FIELDS,
  };
}

export function apiKeyView(now: Date): View {
  return {
    columns: [
      ...apiKeyListView(now).columns,
      timeColumn('Created', 'created_at'),
      column('Created by', 'created_by'),
      timeColumn('Revoked', 'revoked_at'),
      column('Reason', 'revoked_reason'),
    ],
    fields: FIELDS,
  };
}

/** With the secret, for the one time that it is shown. */
export function newApiKeyView(now: Date): View {
  const { columns, fields } = apiKeyView(now);
  return { columns: [...columns, column('Key', 'key')], fields: [...fields, 'key'] };
}

/** With the secret, and with the end of the key in whose place it stands. */
export function rotatedApiKeyView(now: Date): View {
  const { columns, fields } = newApiKeyView(now);
  return {
    columns: [...columns, timeColumn('Old key ends', 'old_key_ends_at')],
    fields: [...fields, 'old_key_ends_at'],
  };
}

function stateOf(row: Row, now: Date): string {
  const isPast = (field: string) => typeof row[field] === 'string' && Date.parse(row[field]) <= now.getTime();
  if (isPast('revoked_at')) return 'revoked';
  return isPast('expires_at') ? 'expired' : 'active';
}

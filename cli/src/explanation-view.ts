import { plain } from './printable.js';
import { type Column, column, fieldOf, type Row, shownNumber, type View } from './view.js';

/** Of one key, from its identity to what its next request gets. */
export function explanationView(row: Row): View {
  const limits = row['limits'] as readonly Row[];
  return {
    columns: [
      { title: 'Key', value: () => `${plain(row['prefix'])}…  ${plain(row['name'])}  (${plain(row['key_id'])})` },
      { title: 'Organization', value: () => `${plain(row['organization'])}  (${plain(row['organization_id'])})` },
      column('Plan', 'plan'),
      { title: 'Key is', value: () => plain(fieldOf(row, 'authorization.message')) },
      { title: 'Scopes', value: () => (row['scopes'] as string[]).join(' ') || '-' },
      ...limits.map((limit): Column => ({ title: titleOf(limit), value: () => stateOf(limit) })),
      { title: 'Next request', value: () => outcomeOf(row['next_request'] as Row) },
      { title: 'Why', value: () => plain(fieldOf(row, 'next_request.why')) },
    ],
    fields: [
      'key_id',
      'organization_id',
      'next_request.decision',
      'next_request.status',
      'next_request.code',
      'next_request.why',
    ],
  };
}

function titleOf({ name, scope }: Row): string {
  const window = plain(name);
  return `${window.charAt(0).toUpperCase()}${window.slice(1)}${scope === 'key' ? ' (key)' : ''}`;
}

function stateOf(limit: Row): string {
  const { name, source, remaining, resets_at: resetsAt, burst, is_shadow: isShadow } = limit;
  const size = burst === null ? '' : `, burst ${shownNumber(burst)}`;
  const left = `${shownNumber(remaining)} left of ${shownNumber(limit['limit'])} a ${plain(name)}${size}`;
  const origin = { plan: "the plan's", organization: "the organization's own", key: "the key's own" }[String(source)];
  return `${left}; whole again ${plain(resetsAt).replace(/\.\d{3}Z$/, 'Z')}; ${origin}${isShadow === true ? ', in shadow' : ''}`;
}

function outcomeOf({ decision, status, code, retry_after: retryAfter }: Row): string {
  if (status === null) return plain(decision);
  return `${plain(status)} ${plain(code)}${retryAfter === null ? '' : `, Retry-After: ${plain(retryAfter)}`}`;
}

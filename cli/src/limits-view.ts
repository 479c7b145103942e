import type { Limits, LimitsOverride } from '@tollgate/domain/limits';
import type { LimitsInForce } from '@tollgate/postgres/limits';
import { limitFields, limitFieldsRow } from './limits-fields.js';
import { plain } from './printable.js';
import { type Column, column, fieldOf, type Row, shownNumber, type View } from './view.js';

/**
 * What holds for an organization: `limits` in force, and in `override` what of them is its own. Of a key, the same beside
 * its organization's.
 */
export function limitsRow(found: LimitsInForce, keyId: string | undefined): Row {
  const own = keyId === undefined ? found.override : (found.keys.find((key) => key.keyId === keyId)?.override ?? {});
  const row = {
    organization_id: found.organizationId,
    plan: found.plan.name,
    limits: limitFieldsRow(limitsInForce(found, keyId)),
    is_shadow: keyId === undefined ? found.isShadow : own.isShadow === true,
    override: overrideRow(own),
  };
  if (keyId !== undefined) return { ...row, key_id: keyId };
  const keys = found.keys.map(({ keyId: key_id, effective, override }) => ({
    key_id,
    limits: limitFieldsRow(effective),
    is_shadow: override.isShadow === true,
    override: overrideRow(override),
  }));
  return { ...row, keys };
}

function overrideRow(override: LimitsOverride): Row {
  return { ...limitFieldsRow(override), is_shadow: override.isShadow ?? null };
}

/** A key without limits of its own has its organization's. */
export function limitsInForce(found: LimitsInForce, keyId: string | undefined): Limits {
  return found.keys.find((key) => key.keyId === keyId)?.effective ?? found.effective;
}

export function limitsView(row: Row): View {
  const isKey = 'key_id' in row;
  const keys = (row['keys'] ?? []) as Row[];
  return {
    columns: [
      column('Organization', 'organization_id'),
      ...(isKey ? [column('Key', 'key_id')] : []),
      column('Plan', 'plan'),
      limitColumn('Per minute', 'per_minute', isKey),
      limitColumn('Burst', 'burst', isKey),
      limitColumn('Per day', 'per_day', isKey),
      limitColumn('Per month', 'per_month', isKey),
      { title: 'Mode', value: (row) => modeOf(row, isKey) },
      ...keys.map((key): Column => ({ title: `Key ${plain(key['key_id'])}`, value: () => inOneLine(key) })),
    ],
    fields: [
      ...['organization_id', ...(isKey ? ['key_id'] : []), 'plan', ...limitFields('limits'), 'is_shadow'],
      ...[...limitFields('override'), 'override.is_shadow'],
    ],
  };
}

function limitColumn(title: string, field: string, isKey: boolean): Column {
  const origin = (row: Row): string => {
    if (fieldOf(row, `limits.${field}`) === null) return '';
    if (fieldOf(row, `override.${field}`) !== null) return '  (own)';
    return isKey ? "  (the organization's)" : "  (the plan's)";
  };
  return { title, value: (row) => `${shownNumber(fieldOf(row, `limits.${field}`))}${origin(row)}` };
}

function modeOf(row: Row, isKey: boolean): string {
  const mode = row['is_shadow'] === true ? 'shadow' : 'enforced';
  if (isKey) return `${mode}  (of the key's own limits)`;
  return `${mode}  ${fieldOf(row, 'override.is_shadow') === null ? "(the plan's)" : '(own)'}`;
}

function inOneLine(key: Row): string {
  const [minute, burst, day, month] = limitFields('limits').map((field) => shownNumber(fieldOf(key, field)));
  const shadow = key['is_shadow'] === true ? ', in shadow' : '';
  return `${minute} a minute, burst ${burst}, ${day} a day${month === '-' ? '' : `, ${month} a month`}${shadow}`;
}

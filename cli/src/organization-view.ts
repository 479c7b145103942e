import type { Organization } from '@tollgate/postgres/organizations';
import { limitColumns, limitFields, limitFieldsRow } from './limits-fields.js';
import { column, type Row, timeColumn, type View } from './view.js';

export function organizationRow(organization: Organization): Row {
  return {
    id: organization.id,
    name: organization.name,
    plan: organization.plan,
    is_active: organization.isActive,
    billing_anchor_day: organization.billingAnchorDay,
    created_at: organization.createdAt.toISOString(),
    limits: limitFieldsRow(organization.limits),
  };
}

export const ORGANIZATION_VIEW: View = {
  columns: [
    column('Id', 'id'),
    column('Name', 'name'),
    column('Plan', 'plan'),
    { title: 'State', value: (row) => (row['is_active'] === true ? 'active' : 'suspended') },
    ...limitColumns('limits'),
    column('Anchor day', 'billing_anchor_day', 'right'),
    timeColumn('Created', 'created_at'),
  ],
  fields: ['id', 'name', 'plan', 'is_active', 'billing_anchor_day', 'created_at', ...limitFields('limits')],
};

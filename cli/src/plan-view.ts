import type { Plan } from '@tollgate/domain/limits';
import { limitColumns, limitFields, limitFieldsRow } from './limits-fields.js';
import { column, type Row, type View } from './view.js';

export function planRow({ name, isShadow, ...limits }: Plan): Row {
  return { name, ...limitFieldsRow(limits), is_shadow: isShadow };
}

export const PLAN_VIEW: View = {
  columns: [
    column('Name', 'name'),
    ...limitColumns(),
    { title: 'Mode', value: (row) => (row['is_shadow'] === true ? 'shadow' : 'enforced') },
  ],
  fields: ['name', ...limitFields(), 'is_shadow'],
};

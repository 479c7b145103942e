import type { Plan } from '@tollgate/domain/limits';
import { limitColumns, limitFields, limitFieldsRow } from './limits-fields.js';
import { column, type Row, type View } from './view.js';

export function planRow({ name, ...limits }: Plan): Row {
  return { name, ...limitFieldsRow(limits) };
}

export const PLAN_VIEW: View = { columns: [column('Name', 'name'), ...limitColumns()], fields: ['name', ...limitFields()] };

import { type Json, plain } from './printable.js';

export type Row = Readonly<Record<string, Json>>;

/** One column for people: a title and how it reads a row. */
export interface Column {
  title: string;
  value: (row: Row) => string;
  align?: 'right';
}

/** How rows of a kind are shown. */
export interface View {
  columns: readonly Column[];
  /** The columns of CSV: names of fields, with dots where they lie within others. */
  fields: readonly string[];
  /** The field that `-o id` prints; `id`, or else `name`, where it is not told. */
  id?: string;
}

/** A column that shows a field as it is. */
export function column(title: string, field: string, align?: 'right'): Column {
  return { title, value: (row) => plain(fieldOf(row, field)), ...(align === undefined ? {} : { align }) };
}

/** A moment, to the second. */
export function timeColumn(title: string, field: string): Column {
  return { title, value: (row) => plain(fieldOf(row, field)).replace(/\.\d{3}Z$/, 'Z') };
}

/** A number with its thousands set apart. */
export function numberColumn(title: string, field: string): Column {
  return { title, align: 'right', value: (row) => shownNumber(fieldOf(row, field)) };
}

const SHOWN_NUMBER = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

export function shownNumber(value: Json | undefined): string {
  return typeof value === 'number' ? SHOWN_NUMBER.format(value) : plain(value);
}

/** The field of this name; `limits.burst` lies within another. */
export function fieldOf(row: Row, path: string): Json | undefined {
  return path.split('.').reduce<Json | undefined>((value, name) => (value as Row | null | undefined)?.[name], row);
}

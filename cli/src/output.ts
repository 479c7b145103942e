import { toCsv } from './output-csv.js';
import { toFields, toTable } from './output-table.js';
import { type Json, plain, plainLines, toJson } from './printable.js';

export const FORMATS = ['table', 'json', 'csv', 'id'] as const;
export type Format = (typeof FORMATS)[number];

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
}

export interface Output {
  /** Many rows: a table, an array, CSV, or their ids. */
  list(rows: readonly Row[], view: View): void;
  /** One row: its fields under each other, an object, CSV, or its id. */
  one(row: Row, view: View): void;
  /** Text that is data, as it is. */
  text(text: string): void;
  /** Talk for people; never part of the data. */
  say(text: string): void;
}

/** Writes data to `stdout` in the chosen format and talk to `stderr`. */
export function createOutput(format: Format, stdout: (text: string) => void, stderr: (text: string) => void): Output {
  const print = (text: string): void => stdout(text === '' || text.endsWith('\n') ? text : `${text}\n`);
  return {
    list(rows, view) {
      if (format === 'json') print(toJson(rows));
      else if (format === 'csv') print(toCsv(rows, view.fields));
      else if (format === 'id') print(rows.map(idOf).join('\n'));
      else if (rows.length === 0) stderr('Nothing found.\n');
      else print(toTable(rows, view.columns));
    },
    one(row, view) {
      if (format === 'json') print(toJson(row));
      else if (format === 'csv') print(toCsv([row], view.fields));
      else if (format === 'id') print(idOf(row));
      else print(toFields(row, view.columns));
    },
    text: print,
    say: (text) => stderr(`${plainLines(text)}\n`),
  };
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

function idOf(row: Row): string {
  return plain(row['id'] ?? row['name']);
}

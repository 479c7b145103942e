import { type Json, plain } from './printable.js';
import { fieldOf, type Row } from './view.js';

/** CSV by RFC 4180. A text that a spreadsheet would run as a formula gets an apostrophe before it. */
export function toCsv(rows: readonly Row[], fields: readonly string[]): string {
  const lines = [fields.map(cell), ...rows.map((row) => fields.map((field) => cell(fieldOf(row, field))))];
  return lines.map((line) => `${line.join(',')}\r\n`).join('');
}

function cell(value: Json | undefined): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = Array.isArray(value) ? value.map(plain).join(',') : plain(value);
  const safe = /^[=+\-@]/.test(text) ? `'${text}` : text;
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

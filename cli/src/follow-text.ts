import type { Format } from './output.js';
import { toCsv } from './output-csv.js';
import { harmlessJson } from './printable.js';
import type { Row, View } from './view.js';

/** Rows that come one after the other, as text: JSON lines, CSV, or a table whose columns keep the width that they begin with. */
export async function* followText(
  pages: AsyncIterable<readonly Row[]>,
  view: View & { widths: readonly number[] },
  format: Exclude<Format, 'id'>,
): AsyncGenerator<string> {
  if (format === 'csv') yield toCsv([], view.fields);
  if (format === 'table') yield line(view, ({ title }) => title.toUpperCase());
  const csvHead = toCsv([], view.fields).length;
  for await (const rows of pages) {
    if (format === 'json') yield rows.map((row) => `${harmlessJson(JSON.stringify(row))}\n`).join('');
    else if (format === 'csv') yield toCsv(rows, view.fields).slice(csvHead);
    else yield rows.map((row) => line(view, ({ value }) => value(row))).join('');
  }
}

function line(
  { columns, widths }: View & { widths: readonly number[] },
  cell: (column: View['columns'][number]) => string,
): string {
  const cells = columns.map((column, i) =>
    column.align === 'right' ? cell(column).padStart(widths[i] ?? 0) : cell(column).padEnd(widths[i] ?? 0),
  );
  return `${cells.join('  ').trimEnd()}\n`;
}

import type { Column, Row } from './view.js';

/** Rows under a header, columns as wide as their widest cell, two spaces between. */
export function toTable(rows: readonly Row[], columns: readonly Column[]): string {
  const cells = [columns.map(({ title }) => title.toUpperCase()), ...rows.map((row) => columns.map(({ value }) => value(row)))];
  const widths = columns.map((_, i) => cells.reduce((width, line) => Math.max(width, widthOf(line[i] ?? '')), 0));
  return cells
    .map((line) =>
      line
        .map((cell, i) => pad(cell, widths[i] ?? 0, columns[i]?.align))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** One row, a line a column. */
export function toFields(row: Row, columns: readonly Column[]): string {
  const width = Math.max(...columns.map(({ title }) => widthOf(title)));
  return columns.map(({ title, value }) => `${pad(title, width, undefined)}  ${value(row)}`).join('\n');
}

function pad(cell: string, width: number, align: Column['align']): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(cell)));
  return align === 'right' ? space + cell : cell + space;
}

/** Characters, not UTF-16 units, so that a name outside the basic plane keeps the columns straight. */
function widthOf(text: string): number {
  return [...text].length;
}

import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { toCsv } from './output-csv.js';
import { toFields, toTable } from './output-table.js';
import { plain, plainLines, toJson } from './printable.js';
import type { Row, View } from './view.js';

export const FORMATS = ['table', 'json', 'csv', 'id'] as const;
export type Format = (typeof FORMATS)[number];

export interface Output {
  readonly format: Format;
  /** Many rows: a table, an array, CSV, or their ids. */
  list(rows: readonly Row[], view: View): void;
  /** One row: its fields under each other, an object, CSV, or its id. */
  one(row: Row, view: View): void;
  /** Text that is data, as it is. */
  text(text: string): void;
  /** As {@link text}, piece by piece, no faster than it is read. */
  stream(pieces: AsyncIterable<string>): Promise<void>;
  /** Talk for people; never part of the data. */
  say(text: string): void;
}

/** Writes data to `stdout` in the chosen format and talk to `stderr`. */
export function createOutput(format: Format, stdout: Writable, stderr: Writable): Output {
  const print = (text: string): void => void stdout.write(text === '' || text.endsWith('\n') ? text : `${text}\n`);
  return {
    format,
    list(rows, view) {
      if (format === 'json') print(toJson(rows));
      else if (format === 'csv') print(toCsv(rows, view.fields));
      else if (format === 'id') print(rows.map((row) => idOf(row, view)).join('\n'));
      else if (rows.length === 0) stderr.write('Nothing found.\n');
      else print(toTable(rows, view.columns));
    },
    one(row, view) {
      if (format === 'json') print(toJson(row));
      else if (format === 'csv') print(toCsv([row], view.fields));
      else if (format === 'id') print(idOf(row, view));
      else print(toFields(row, view.columns));
    },
    text: print,
    async stream(pieces) {
      for await (const piece of pieces) if (!stdout.write(piece)) await once(stdout, 'drain');
    },
    say: (text) => void stderr.write(`${plainLines(text)}\n`),
  };
}

function idOf(row: Row, { id }: View): string {
  return plain(id === undefined ? (row['id'] ?? row['name']) : row[id]);
}

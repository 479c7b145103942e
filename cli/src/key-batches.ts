import { createKeyFileReader, type KeyFileFormat, type LineProblem, type NumberedRow } from '@tollgate/domain/key-file';

/** Lines of a file of keys that are imported together: what could be read, and what could not. */
export interface KeyBatch {
  rows: NumberedRow[];
  problems: LineProblem[];
}

/** Cuts the text of a file of keys into batches of at most so many lines. */
export async function* keyBatches(path: string, pieces: AsyncIterable<string>, batchRows: number): AsyncGenerator<KeyBatch> {
  let items: (NumberedRow | LineProblem)[] = [];
  for await (const found of readItems(path, pieces)) {
    items.push(...found);
    while (items.length >= batchRows) {
      yield batchOf(items.slice(0, batchRows));
      items = items.slice(batchRows);
    }
  }
  if (items.length > 0) yield batchOf(items);
}

async function* readItems(path: string, pieces: AsyncIterable<string>): AsyncGenerator<(NumberedRow | LineProblem)[]> {
  let reader: ReturnType<typeof createKeyFileReader> | undefined;
  let start = '';
  for await (const piece of pieces) {
    // What is blank tells nothing of the format, but counts as lines.
    start = reader === undefined ? start + piece : piece;
    reader ??= start.trim() === '' ? undefined : createKeyFileReader(formatOf(path, start));
    if (reader !== undefined) yield reader.push(start);
  }
  if (reader !== undefined) yield reader.end();
}

/** By the ending of the name; where that tells nothing, by the first character. */
function formatOf(path: string, start: string): KeyFileFormat {
  if (/\.csv$/i.test(path)) return 'csv';
  if (/\.(jsonl|ndjson|json)$/i.test(path)) return 'jsonl';
  return /^[{[]/.test(start.trimStart()) ? 'jsonl' : 'csv';
}

function batchOf(items: readonly (NumberedRow | LineProblem)[]): KeyBatch {
  return {
    rows: items.flatMap((item) => ('row' in item ? [item] : [])),
    problems: items.flatMap((item) => ('problem' in item ? [item] : [])),
  };
}

/** Files of keys: JSON lines, or CSV with a header. Read piece by piece, since they may be long. */
import { type CsvRecord, createCsvReader, csvLine } from './csv.js';
import { isKeyField, KEY_FIELDS, type KeyFields, type KeyRow, keyFieldsOf, keyRowFrom, unknownField } from './key-row.js';

export type KeyFileFormat = 'jsonl' | 'csv';

/** `line` is where it begins in the file; the first is 1. */
export type NumberedRow = { line: number; row: KeyRow };
export type LineProblem = { line: number; problem: string };

export interface KeyFileReader {
  /** What this piece completes, in the order of the file. */
  push(text: string): (NumberedRow | LineProblem)[];
  /** What stands on a last line without a line end. */
  end(): (NumberedRow | LineProblem)[];
}

const MAX_LINE_CHARACTERS = 1_000_000;

/** Reads keys. A line that is no key is a problem of its own, and reading goes on. Throws for no input. */
export function createKeyFileReader(format: KeyFileFormat): KeyFileReader {
  const reader = format === 'csv' ? createCsvKeyReader() : createJsonLinesReader();
  const lineOfHash = new Map<string, number>();
  const lineOfId = new Map<string, number>();
  const withoutRepeats = (item: NumberedRow | LineProblem): NumberedRow | LineProblem => {
    if ('problem' in item) return item;
    const earlier = lineOfHash.get(item.row.keyHash) ?? lineOfId.get(item.row.id ?? '');
    if (earlier !== undefined) return { line: item.line, problem: `is the same key as line ${earlier}` };
    lineOfHash.set(item.row.keyHash, item.line);
    if (item.row.id !== undefined) lineOfId.set(item.row.id, item.line);
    return item;
  };
  return {
    push: (text) => reader.push(text).map(withoutRepeats),
    end: () => reader.end().map(withoutRepeats),
  };
}

/** What stands before the first key of a file. */
export function keyFileHeader(format: KeyFileFormat): string {
  return format === 'csv' ? csvLine(KEY_FIELDS) : '';
}

/** The key as one record of a file, with its line end. */
export function keyFileLine(format: KeyFileFormat, row: KeyRow): string {
  const fields = keyFieldsOf(row);
  if (format === 'jsonl') return `${JSON.stringify(fields)}\n`;
  return csvLine(KEY_FIELDS.map((field) => [fields[field] ?? ''].flat().join(' ')));
}

function createJsonLinesReader(): KeyFileReader {
  let line = 0;
  let rest = '';
  let isTooLong = false;

  function readLine(text: string): (NumberedRow | LineProblem)[] {
    line++;
    if (isTooLong) {
      isTooLong = false;
      return [{ line, problem: `is longer than ${MAX_LINE_CHARACTERS} characters` }];
    }
    const trimmed = (line === 1 ? text.replace(/^\ufeff/, '') : text).trim();
    return trimmed === '' ? [] : [numbered(line, fieldsOfJson(trimmed))];
  }

  return {
    push(text) {
      const lines = text.split('\n');
      const last = lines.pop() ?? '';
      const complete = lines.flatMap((part, i) => readLine(i === 0 ? rest + part : part));
      rest = lines.length === 0 ? rest + last : last;
      if (rest.length > MAX_LINE_CHARACTERS) {
        isTooLong = true;
        rest = '';
      }
      return complete;
    },
    end() {
      const last = rest;
      rest = '';
      return last === '' && !isTooLong ? [] : readLine(last);
    },
  };
}

function fieldsOfJson(text: string): KeyFields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function createCsvKeyReader(): KeyFileReader {
  const csv = createCsvReader(MAX_LINE_CHARACTERS);
  let header: string[] | undefined;
  let isHeaderBad = false;

  /** Without a header nothing that follows can be understood: one problem, not one a line. */
  function readHeader({ line, fields, problem }: CsvRecord): LineProblem[] {
    header = fields.map((name) => name.trim());
    const unknown = header.find((name) => !isKeyField(name));
    const words = problem ?? (unknown === undefined ? undefined : unknownField(unknown));
    const repeated = new Set(header).size < header.length ? 'two columns have the same name' : undefined;
    if ((words ?? repeated) === undefined) return [];
    isHeaderBad = true;
    return [{ line, problem: `the first line must name the fields: ${words ?? repeated}` }];
  }

  function readRecord(record: CsvRecord): (NumberedRow | LineProblem)[] {
    if (header === undefined) return readHeader(record);
    if (isHeaderBad) return [];
    const { line, fields, problem } = record;
    if (problem !== undefined) return [{ line, problem }];
    if (fields.length !== header.length)
      return [{ line, problem: `has ${fields.length} fields, and the first line has ${header.length}` }];
    return [numbered(line, Object.fromEntries(header.map((name, i) => [name, fields[i]])))];
  }

  return {
    push: (text) => csv.push(text).flatMap(readRecord),
    end: () => csv.end().flatMap(readRecord),
  };
}

function numbered(line: number, fields: KeyFields | undefined): NumberedRow | LineProblem {
  if (fields === undefined) return { line, problem: 'is no JSON object' };
  const row = keyRowFrom(fields);
  return 'problems' in row ? { line, problem: row.problems.join('; ') } : { line, row };
}

/** CSV by RFC 4180, piece by piece. A line may end with LF too; what stands in quotes may hold commas, line ends and `""`. */
export interface CsvRecord {
  /** The line on which the record begins; the first is 1. */
  line: number;
  fields: string[];
  /** What is wrong with the quotes of the record. */
  problem?: string;
}

export interface CsvReader {
  /** The records that this piece completes. Lines without anything are passed over. */
  push(text: string): CsvRecord[];
  /** The last record, where the text does not end with a line end. */
  end(): CsvRecord[];
}

/** `quoted`: inside quotes. `closed`: after the quote that may end them, or begin a doubled one. */
type State = 'start' | 'plain' | 'quoted' | 'closed';

/** A record that outgrows `maxRecordCharacters` is an open quote, not data: it is told and dropped, its rest passed over. */
export function createCsvReader(maxRecordCharacters = 1_000_000): CsvReader {
  let state: State = 'start';
  let fields: string[] = [];
  let field = '';
  let problem: string | undefined;
  let characters = 0;
  let line = 1;
  let startLine = 1;
  let wasReturn = false;
  let isFirst = true;
  let records: CsvRecord[] = [];

  function endField(): void {
    fields.push(field);
    field = '';
    state = 'start';
  }

  function endRecord(): void {
    endField();
    const isEmpty = fields.length === 1 && fields[0] === '' && characters === 0;
    if (!isEmpty) records.push({ line: startLine, fields, ...(problem === undefined ? {} : { problem }) });
    fields = [];
    problem = undefined;
    characters = 0;
  }

  function read(character: string): void {
    const isLineEnd = character === '\n' || character === '\r';
    // CR LF is one line end; its LF ends nothing more.
    const isSecondHalf = character === '\n' && wasReturn;
    wasReturn = character === '\r';
    if (isLineEnd && !isSecondHalf) line++;
    if (state === 'quoted') {
      if (character === '"') state = 'closed';
      else take(character);
    } else if (!isLineEnd) {
      readOutsideQuotes(character);
    } else if (!isSecondHalf) {
      endRecord();
      startLine = line;
    }
  }

  function readOutsideQuotes(character: string): void {
    characters++;
    if (character === ',') endField();
    else if (character === '"') readQuote();
    else readPlain(character);
  }

  function readQuote(): void {
    if (state === 'closed') field += '"';
    if (state === 'plain') problem = 'a quote stands inside of a field that does not begin with one';
    else state = 'quoted';
  }

  function readPlain(character: string): void {
    if (state === 'closed') problem = 'text follows a closing quote';
    else state = 'plain';
    take(character);
  }

  function take(character: string): void {
    if (++characters > maxRecordCharacters)
      problem = `the record is longer than ${maxRecordCharacters} characters: is a quote left open?`;
    else field += character;
  }

  function taken(): CsvRecord[] {
    const complete = records;
    records = [];
    return complete;
  }

  return {
    push(text) {
      const body = isFirst && text.startsWith('\ufeff') ? text.slice(1) : text;
      if (text !== '') isFirst = false;
      for (const character of body) read(character);
      return taken();
    },
    end() {
      if (state === 'quoted') problem = 'a quote is left open';
      if (state !== 'start' || fields.length > 0) endRecord();
      return taken();
    },
  };
}

/** One record with its line end. Quoted where it must be; nothing else is changed, so that a reader gets back what was written. */
export function csvLine(fields: readonly string[]): string {
  // An empty line would be passed over.
  if (fields.length === 1 && fields[0] === '') return '""\r\n';
  return `${fields.map((field) => (/[",\r\n]|^\ufeff/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',')}\r\n`;
}

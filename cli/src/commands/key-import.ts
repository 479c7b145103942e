import type { LineProblem } from '@tollgate/domain/key-file';
import type { Sql } from '@tollgate/postgres/database';
import { IMPORT_BATCH_ROWS, type ImportOptions, importApiKeys } from '@tollgate/postgres/import-api-keys';
import { flagArgument, textArgument } from '../arguments.js';
import { Unhappy, wrongUse } from '../cli-error.js';
import type { Command } from '../command.js';
import { type KeyBatch, keyBatches } from '../key-batches.js';
import { column, numberColumn, shownNumber, type View } from '../view.js';

/** More would help nobody; the number of all is told. */
const MAX_PROBLEMS = 1_000;

export const keyImport: Command = {
  noun: 'key',
  verb: 'import',
  positionals: { file: 'JSON lines, or CSV with a header; `-` reads stdin.' },
  describe:
    'Imports keys by their hashes, in batches of 5,000 lines. A batch with a bad line changes nothing; exit code 1 where one was refused. Safe to repeat.',
  example: 'tollgate key import keys.jsonl --dry-run',
  options: {
    'dry-run': { type: 'boolean', describe: 'Look at everything and write nothing.' },
    'skip-bad': { type: 'boolean', describe: 'Import the good lines of a batch that has bad ones too.' },
  },
  formats: ['table', 'json', 'csv'],
  async run(args, { database, actor, readPieces, showProgress, output }) {
    const file = textArgument(args, 'file');
    if (file === undefined) throw wrongUse('Say which file, or - for stdin.');
    const options = { isDryRun: flagArgument(args, 'dry-run'), skipBad: flagArgument(args, 'skip-bad') };
    const sum: ImportSum = { imported: 0, existing: 0, refused: 0, held_back: 0, problems: [] };
    const by = await actor();
    const db = await database();
    try {
      for await (const batch of keyBatches(file, readPieces(file), IMPORT_BATCH_ROWS)) {
        await importBatch(db, batch, options, by, sum);
        showProgress(
          `${shownNumber(sum.imported)} imported, ${shownNumber(sum.existing)} there already, ${shownNumber(sum.refused)} refused`,
        );
      }
    } catch (error) {
      throw sum.imported === 0 || options.isDryRun ? error : withWhatWasDone(error, sum.imported);
    } finally {
      showProgress('');
    }
    output.one({ file, dry_run: options.isDryRun, ...sum }, VIEW);
    if (output.format !== 'json') for (const { line, problem } of sum.problems) output.say(`line ${line}: ${problem}`);
    if (sum.refused > sum.problems.length) output.say(`And ${shownNumber(sum.refused - sum.problems.length)} more lines.`);
    if (sum.refused > 0) throw new Unhappy();
  },
};

type ImportSum = {
  imported: number;
  existing: number;
  /** Lines with a problem. */
  refused: number;
  /** Good lines that were not imported, since a line of their batch was refused. */
  held_back: number;
  problems: LineProblem[];
};

/** Also a line that could not be read keeps its batch from being written. */
async function importBatch(
  db: Sql,
  { rows, problems }: KeyBatch,
  options: ImportOptions,
  actor: string,
  sum: ImportSum,
): Promise<void> {
  const isBlocked = problems.length > 0 && !options.skipBad;
  const found = await importApiKeys(db, rows, { ...options, isDryRun: options.isDryRun || isBlocked }, actor);
  const refused = [...problems, ...found.problems].sort((a, b) => a.line - b.line);
  const imported = isBlocked ? 0 : found.imported;
  sum.imported += imported;
  sum.existing += found.existing;
  sum.refused += refused.length;
  sum.held_back += rows.length - found.problems.length - found.existing - imported;
  sum.problems.push(...refused.slice(0, MAX_PROBLEMS - sum.problems.length));
}

/** Whoever sees the error should know that running it again is the way on. */
function withWhatWasDone(error: unknown, imported: number): unknown {
  if (error instanceof Error)
    error.message += ` (${shownNumber(imported)} keys were imported before; run it again, it goes on from there)`;
  return error;
}

const VIEW: View = {
  columns: [
    column('File', 'file'),
    column('Dry run', 'dry_run'),
    numberColumn('Imported', 'imported'),
    numberColumn('There already', 'existing'),
    numberColumn('Refused', 'refused'),
    numberColumn('Held back', 'held_back'),
  ],
  fields: ['file', 'dry_run', 'imported', 'existing', 'refused', 'held_back'],
};

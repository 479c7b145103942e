import { replayDeadLetters } from '@tollgate/postgres/replay-dead-letters';
import { flagArgument, listArgument } from '../arguments.js';
import { Unhappy, wrongUse } from '../cli-error.js';
import type { Command } from '../command.js';
import { quoted } from '../printable.js';
import { numberColumn, type View } from '../view.js';

/** More would help nobody; the number of all is told. */
const MAX_PROBLEMS = 1_000;

export const usageDeadLettersReplay: Command = {
  noun: 'usage',
  verb: 'dead-letters replay',
  positionals: { 'ids..': 'Dead letters by their ids, as dead-letters list shows them.' },
  describe:
    'Judges dead letters anew and stores those that are usage by now. Safe to repeat: nothing counts twice. What is still none stays; exit code 1 where there was one.',
  example: 'tollgate usage dead-letters replay --all',
  options: { all: { type: 'boolean', describe: 'All that were not replayed yet, in the place of IDS.' } },
  formats: ['table', 'json', 'csv'],
  async run(args, { usageDatabase, output, now }) {
    const ids = listArgument(args, 'ids') ?? [];
    if (ids.length > 0 === flagArgument(args, 'all')) throw wrongUse('Say which dead letters: their ids, or --all.');
    const bad = ids.find((id) => !/^\d{1,18}$/.test(id));
    if (bad !== undefined) throw wrongUse(`An id is a whole number, not ${quoted(bad)}.`);
    const report = await replayDeadLetters(await usageDatabase(), {
      nowMs: now.getTime(),
      ...(ids.length === 0 ? {} : { ids: ids.map(BigInt) }),
    });
    const problems = report.failed.slice(0, MAX_PROBLEMS).map(({ id, reason }) => ({ id: id.toString(), reason }));
    const { stored, duplicates, passedOver, failed } = report;
    output.one({ stored, duplicates, passed_over: passedOver, failed: failed.length, problems }, VIEW);
    if (output.format !== 'json') for (const { id, reason } of problems) output.say(`${id}: ${reason}`);
    if (failed.length > 0) throw new Unhappy();
  },
};

const VIEW: View = {
  columns: [
    numberColumn('Stored', 'stored'),
    numberColumn('Stored before', 'duplicates'),
    numberColumn('Passed over', 'passed_over'),
    numberColumn('Failed', 'failed'),
  ],
  fields: ['stored', 'duplicates', 'passed_over', 'failed'],
};

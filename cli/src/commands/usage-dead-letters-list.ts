import { listDeadLetters, type StoredDeadLetter } from '@tollgate/postgres/dead-letters';
import { textArgument, wholeNumber } from '../arguments.js';
import { wrongUse } from '../cli-error.js';
import type { Command } from '../command.js';
import { plain } from '../printable.js';
import { column, numberColumn, type Row, timeColumn, type View } from '../view.js';

const MAX_LETTERS = 1_000;
const SHOWN_CHARACTERS = 60;

export const usageDeadLettersList: Command = {
  noun: 'usage',
  verb: 'dead-letters list',
  describe: 'Shows what could not become usage, and why: oldest first, those that were replayed later too.',
  example: 'tollgate usage dead-letters list --limit 20',
  options: {
    limit: { type: 'string', value: 'N', default: '100', describe: 'At most so many, up to 1,000.' },
    after: { type: 'string', value: 'ID', describe: 'Only those after this one: the next page.' },
  },
  async run(args, { usageDatabase, output }) {
    const limit = wholeNumber(args, 'limit') ?? 0;
    if (limit < 1 || limit > MAX_LETTERS) throw wrongUse('--limit takes a number from 1 to 1000.');
    const after = textArgument(args, 'after');
    if (after !== undefined && !/^\d{1,18}$/.test(after)) throw wrongUse('--after takes the id of a dead letter.');
    const letters = await listDeadLetters(await usageDatabase(), {
      limit,
      ...(after === undefined ? {} : { afterId: BigInt(after) }),
    });
    output.list(letters.map(letterRow), VIEW);
  },
};

function letterRow(letter: StoredDeadLetter): Row {
  return {
    id: letter.id.toString(),
    at: letter.at.toISOString(),
    reason: letter.reason,
    log_id: letter.logId,
    topic: letter.topic,
    partition: letter.partition,
    offset: letter.offset.toString(),
    value: letter.value.toString('utf8'),
    value_bytes: letter.valueBytes,
    value_hash: letter.valueHash,
    replayed_at: letter.replayedAt?.toISOString() ?? null,
  };
}

const VIEW: View = {
  columns: [
    column('Id', 'id'),
    timeColumn('At', 'at'),
    column('Reason', 'reason'),
    column('Topic', 'topic'),
    numberColumn('Partition', 'partition'),
    column('Offset', 'offset', 'right'),
    numberColumn('Bytes', 'value_bytes'),
    timeColumn('Replayed', 'replayed_at'),
    { title: 'Begins', value: ({ value }) => [...plain(value)].slice(0, SHOWN_CHARACTERS).join('') },
  ],
  fields: ['id', 'at', 'reason', 'log_id', 'topic', 'partition', 'offset', 'value', 'value_bytes', 'value_hash', 'replayed_at'],
};

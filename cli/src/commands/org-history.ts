import { type AuditRecord, listAudit } from '@tollgate/postgres/audit';
import { textArgument, wholeNumber } from '../arguments.js';
import { wrongUse } from '../cli-error.js';
import type { Command } from '../command.js';
import type { Json } from '../printable.js';
import { ORG_ID_OPTION, ORG_POSITIONAL, organizationOf } from '../subject.js';
import { column, type Row, timeColumn, type View } from '../view.js';

const MAX_ENTRIES = 1_000;

export const orgHistory: Command = {
  noun: 'org',
  verb: 'history',
  positionals: ORG_POSITIONAL,
  describe: 'Shows who changed an organization, its keys and its limits, and when: newest first.',
  example: 'tollgate org history "Acme Ltd" --limit 20',
  options: {
    ...ORG_ID_OPTION,
    limit: { type: 'string', value: 'N', default: '50', describe: 'At most so many entries, up to 1,000.' },
    before: { type: 'string', value: 'ID', describe: 'Only entries older than this one: the next page.' },
  },
  async run(args, { database, output }) {
    const limit = wholeNumber(args, 'limit') ?? 0;
    if (limit < 1 || limit > MAX_ENTRIES) throw wrongUse('--limit takes a number from 1 to 1000.');
    const beforeId = textArgument(args, 'before');
    if (beforeId !== undefined && !/^\d{1,18}$/.test(beforeId)) throw wrongUse('--before takes the id of an entry.');
    const db = await database();
    const { id: organizationId } = await organizationOf(args, db);
    const records = await listAudit(db, { organizationId, limit, ...(beforeId === undefined ? {} : { beforeId }) });
    output.list(records.map(historyRow), VIEW);
  },
};

function historyRow(record: AuditRecord): Row {
  return {
    id: record.id,
    at: record.at.toISOString(),
    actor: record.actor,
    action: record.action,
    subject_kind: record.subjectKind,
    subject_id: record.subjectId,
    organization_id: record.organizationId ?? null,
    details: record.details as Json,
  };
}

const VIEW: View = {
  columns: [
    timeColumn('At', 'at'),
    column('Actor', 'actor'),
    column('Action', 'action'),
    column('Subject', 'subject_id'),
    column('Details', 'details'),
  ],
  fields: ['id', 'at', 'actor', 'action', 'subject_kind', 'subject_id', 'organization_id', 'details'],
};

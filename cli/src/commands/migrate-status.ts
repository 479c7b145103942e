import type { Command } from '../command.js';
import { databasesOf } from '../databases.js';
import { MIGRATION_VIEW, type MigrationRow, migrationRows } from '../migration-view.js';
import { topicRows } from '../topics.js';

export const migrateStatus: Command = {
  noun: 'migrate',
  verb: 'status',
  describe:
    'Shows which migrations the database has, and which it lacks, and those of USAGE_DATABASE_URL where it is set; with KAFKA_BROKERS, the topics too.',
  example: 'tollgate migrate status',
  formats: ['table', 'json', 'csv'],
  async run(_args, context) {
    const { output, migrationsFolder: folder } = context;
    const { migrationStatus } = await import('@tollgate/postgres/migrate');
    const rows: MigrationRow[] = [];
    for (const { url, of } of await databasesOf(context)) rows.push(...migrationRows(await migrationStatus({ url, folder }), of));
    rows.push(...(await topicRows(await context.config())));
    output.list(rows, MIGRATION_VIEW);
    if (rows.some(({ state }) => state === 'pending')) output.say('Run tollgate migrate up to apply what is pending.');
  },
};

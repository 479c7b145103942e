import type { Command } from '../command.js';
import { MIGRATION_VIEW, migrationRows } from '../migration-view.js';

export const migrateStatus: Command = {
  noun: 'migrate',
  verb: 'status',
  describe: 'Shows which migrations the database has, and which it lacks.',
  example: 'tollgate migrate status',
  formats: ['table', 'json', 'csv'],
  async run(_args, { databaseUrl, migrationsFolder, output }) {
    const { migrationStatus } = await import('@tollgate/postgres/migrate');
    const status = await migrationStatus({ url: await databaseUrl(), folder: migrationsFolder });
    output.list(migrationRows(status), MIGRATION_VIEW);
    if (status.pending.length > 0) output.say('Run tollgate migrate up to apply what is pending.');
  },
};

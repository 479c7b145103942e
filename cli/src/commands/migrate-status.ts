import type { Command } from '../command.js';
import { MIGRATION_VIEW, migrationRows } from '../migration-view.js';
import { topicRows } from '../topics.js';

export const migrateStatus: Command = {
  noun: 'migrate',
  verb: 'status',
  describe: 'Shows which migrations the database has, and which it lacks; with KAFKA_BROKERS, the topics too.',
  example: 'tollgate migrate status',
  formats: ['table', 'json', 'csv'],
  async run(_args, { config, databaseUrl, migrationsFolder, output }) {
    const { migrationStatus } = await import('@tollgate/postgres/migrate');
    const status = await migrationStatus({ url: await databaseUrl(), folder: migrationsFolder });
    const rows = [...migrationRows(status), ...(await topicRows(await config()))];
    output.list(rows, MIGRATION_VIEW);
    if (rows.some(({ state }) => state === 'pending')) output.say('Run tollgate migrate up to apply what is pending.');
  },
};

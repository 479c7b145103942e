import type { Command } from '../command.js';
import { databasesOf } from '../databases.js';
import { MIGRATION_VIEW, type MigrationRow, migrationRows } from '../migration-view.js';
import { makeTopics } from '../topics.js';

export const migrateUp: Command = {
  noun: 'migrate',
  verb: 'up',
  describe:
    'Brings the schema of the database up to date, and that of USAGE_DATABASE_URL where it is set, and makes the topics in Kafka where KAFKA_BROKERS is set. Safe to repeat, and to run from several places at once.',
  example: 'tollgate migrate up',
  formats: ['table', 'json', 'csv'],
  async run(_args, context) {
    const postgres = await import('@tollgate/postgres/migrate');
    const migrated: MigrationRow[] = [];
    for (const { url, of } of await databasesOf(context)) {
      const database = { url, folder: context.migrationsFolder };
      const names = new Set(await postgres.migrateUp(database));
      const { applied } = await postgres.migrationStatus(database);
      migrated.push(...migrationRows({ applied: applied.filter(({ name }) => names.has(name)), pending: [] }, of));
    }
    const topics = await makeTopics(await context.config());
    const done = migrated.length + topics.length;
    context.output.say(done === 0 ? 'Nothing to do: the schema is up to date.' : `Applied ${done}.`);
    context.output.list([...migrated, ...topics], MIGRATION_VIEW);
  },
};

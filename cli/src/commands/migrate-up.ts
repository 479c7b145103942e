import type { Command } from '../command.js';
import { MIGRATION_VIEW, migrationRows } from '../migration-view.js';
import { makeTopics } from '../topics.js';

export const migrateUp: Command = {
  noun: 'migrate',
  verb: 'up',
  describe:
    "Brings the database's schema up to date, and makes the topics in Kafka where KAFKA_BROKERS is set. Safe to repeat, and to run from several places at once.",
  example: 'tollgate migrate up',
  formats: ['table', 'json', 'csv'],
  async run(_args, { config, databaseUrl, migrationsFolder, output }) {
    const postgres = await import('@tollgate/postgres/migrate');
    const database = { url: await databaseUrl(), folder: migrationsFolder };
    const names = await postgres.migrateUp(database);
    const topics = await makeTopics(await config());
    const done = names.length + topics.length;
    output.say(done === 0 ? 'Nothing to do: the schema is up to date.' : `Applied ${done}.`);
    const rows = migrationRows(await postgres.migrationStatus(database));
    output.list([...rows.filter(({ name }) => names.includes(name)), ...topics], MIGRATION_VIEW);
  },
};

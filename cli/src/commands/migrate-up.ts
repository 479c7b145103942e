import type { Command } from '../command.js';
import { MIGRATION_VIEW, migrationRows } from '../migration-view.js';

export const migrateUp: Command = {
  noun: 'migrate',
  verb: 'up',
  describe: "Brings the database's schema up to date. Safe to repeat, and to run from several places at once.",
  example: 'tollgate migrate up',
  formats: ['table', 'json', 'csv'],
  async run(_args, { databaseUrl, migrationsFolder, output }) {
    const postgres = await import('@tollgate/postgres/migrate');
    const database = { url: await databaseUrl(), folder: migrationsFolder };
    const names = await postgres.migrateUp(database);
    output.say(names.length === 0 ? 'Nothing to do: the schema is up to date.' : `Applied ${names.length}.`);
    const rows = migrationRows(await postgres.migrationStatus(database));
    output.list(
      rows.filter(({ name }) => names.includes(name)),
      MIGRATION_VIEW,
    );
  },
};

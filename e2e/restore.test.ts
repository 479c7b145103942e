import { randomUUID } from 'node:crypto';
import { administer, databaseUrl } from '@tollgate/testing/administer';
import { freshDatabase } from '@tollgate/testing/database';
import { needRunVariable } from '@tollgate/testing/run-environment';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { type Gateway, newDataFolder, startGateway } from './gateway.js';
import { operate } from './operator.js';

const BEFORE = 12;
const AFTER = 9;

test('a database that is restored from a backup gets the usage of the time after it from the event log, each request once', async () => {
  const folder = await newDataFolder();
  const database = await freshDatabase();
  onTestFinished(() => database.close());
  const first = await startOn(database.url, folder);
  const sent = await send(first, BEFORE);
  await expectStored(first, sent);
  await first.interrupt();
  const backup = await backUp(database.url);

  const second = await startOn(database.url, folder);
  sent.push(...(await send(second, AFTER)));
  await expectStored(second, sent);
  await second.interrupt();

  const restored = await startOn(backup, folder);
  await expectStored(restored, sent);
  // And it goes on.
  sent.push(...(await send(restored, 1)));
  await expectStored(restored, sent);
});

async function startOn(url: string, folder: string): Promise<Gateway> {
  const gateway = await startGateway({ folder, env: { DATABASE_URL: url } });
  onTestFinished(() => gateway.close());
  return gateway;
}

/** The ids of so many requests that were let in. On a busy machine the first may hear 503, and is then nobody's usage. */
async function send(gateway: Gateway, count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const { status, headers } = await gateway.ask('/hello');
    if (status === 200) ids.push(String(headers['x-request-id']));
  }
  return ids;
}

/** Every one of these requests is stored, once, and no other. */
async function expectStored(gateway: Gateway, ids: readonly string[]): Promise<void> {
  const operator = operate(gateway);
  const stored = async () => (await operator.usage(gateway.organizationId)).map(({ request_id }) => request_id);
  try {
    await until(async () => (await stored()).length >= ids.length, 20_000, `${ids.length} stored requests`);
    expect(byText(await stored())).toEqual(byText(ids));
  } finally {
    await operator.close();
  }
}

function byText(ids: readonly string[]): string[] {
  return ids.toSorted((a, b) => a.localeCompare(b));
}

/** What `pg_dump` and restoring it make: another database with all that this one holds. Nobody may be connected to it. */
async function backUp(url: string): Promise<string> {
  const serverUrl = needRunVariable('TEST_DATABASE_URL');
  const name = `backup_${randomUUID().replaceAll('-', '')}`;
  const source = new URL(url).pathname.slice(1);
  await administer(serverUrl, (session) => session.query(`CREATE DATABASE ${name} TEMPLATE ${source}`));
  onTestFinished(() =>
    administer(serverUrl, async (session) => void (await session.query(`DROP DATABASE ${name} WITH (FORCE)`))),
  );
  return databaseUrl(serverUrl, name);
}

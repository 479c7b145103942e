import { type ChangeFeed, type ChangeFeedOptions, followChanges } from '@tollgate/postgres/changes/change-feed';
import type { Database } from '@tollgate/postgres/database';
import { freshDatabase, startDatabaseServer } from '@tollgate/testing/database';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { openFresh } from '../open-fresh.js';
import { pg } from './pg-client.js';

const NEVER_MS = 3_600_000;

test('a feed begins with a reload, before it is trusted', async () => {
  const { url } = await openFresh();
  const { feed, seen } = follow(url);
  expect(feed.trust()).toBe('unreachable');
  expect(feed.caughtUpAtMs()).toBe(0);
  await until(() => feed.trust() === 'listening');
  expect(seen.indexOf('reload ')).toBe(0);
  expect(seen.at(-1)).toBe('trust listening');
  expect(feed.caughtUpAtMs()).toBeGreaterThan(0);
});

test('a change arrives by notification, without a poll', async () => {
  const { db, url } = await openFresh();
  const { feed, seen } = follow(url, { pollEveryMs: NEVER_MS });
  await until(() => feed.trust() === 'listening');
  await touch(db, 'basic');
  await until(() => seen.includes('plan basic'));
});

test('a change comes with the time at which it was written', async () => {
  const { db, url } = await openFresh();
  const times: (number | undefined)[] = [];
  const { feed } = follow(url, { onChange: (_, atMs) => times.push(atMs) });
  await until(() => feed.trust() === 'listening');
  await touch(db, 'basic');
  await until(() => times.length === 2);
  expect(times[0]).toBeUndefined();
  const [row] = await db.query<{ at: Date }>('SELECT at FROM changes ORDER BY id DESC LIMIT 1');
  expect(Math.floor(times[1] ?? 0)).toBe(row?.at.getTime());
});

test('a listener that is killed costs the notification, not the change, and is replaced', async () => {
  const { db, url } = await openFresh();
  const { feed, seen } = follow(url);
  await until(() => feed.trust() === 'listening');
  await kill(db, 'listener');
  await touch(db, 'basic');
  await until(() => seen.includes('plan basic'));
  await until(() => feed.trust() === 'listening');
  expect(seen).toContain('trust polling');
  expect(seen.filter((entry) => entry === 'plan basic')).toHaveLength(1);
  expect(seen.filter((entry) => entry === 'reload ')).toHaveLength(1);
});

test('while nobody can listen the poll alone brings the changes', async () => {
  const { db, url } = await openFresh();
  const { feed, seen } = follow(url, { pollEveryMs: 20 });
  await until(() => feed.trust() === 'listening');
  const keepKilling = setInterval(() => void kill(db, 'listener').catch(() => {}), 5);
  onTestFinished(() => clearInterval(keepKilling));
  await until(() => feed.trust() === 'polling');
  await touch(db, 'basic');
  await until(() => seen.includes('plan basic'));
  clearInterval(keepKilling);
  await until(() => feed.trust() === 'listening');
});

test('the reading connection is replaced when it is killed, and no change is missed or told twice', async () => {
  const { db, url } = await openFresh();
  const { feed, seen } = follow(url);
  await until(() => feed.trust() === 'listening');
  await kill(db, 'reader');
  await touch(db, 'premium');
  await until(() => seen.includes('plan premium'));
  await until(() => feed.trust() === 'listening');
  expect(seen.filter((entry) => entry === 'plan premium')).toHaveLength(1);
});

test('a database that restarts is unreachable in between, and what changed meanwhile is told before it is trusted again', async () => {
  const server = await startDatabaseServer();
  onTestFinished(() => server.close());
  const { url } = await freshDatabase({ serverUrl: server.url });
  const { feed, seen } = follow(url);
  await until(() => feed.trust() === 'listening');
  await server.stop();
  await until(() => feed.trust() === 'unreachable');
  const lastRead = feed.caughtUpAtMs();
  await server.start();
  const writer = await pg(url);
  await writer.query("UPDATE plans SET burst = burst + 1 WHERE name = 'basic'");
  await until(() => feed.trust() === 'listening');
  expect(feed.caughtUpAtMs()).toBeGreaterThan(lastRead);
  await until(() => seen.includes('plan basic'));
  expect(seen.filter((entry) => entry === 'plan basic')).toHaveLength(1);
  const outage = seen.slice(seen.indexOf('trust unreachable'));
  expect(outage.every((entry) => !entry.startsWith('reload'))).toBe(true);
});

test('a feed of a database that is not there stays unreachable, reports it, and can be closed', async () => {
  const errors: unknown[] = [];
  const { feed } = follow('postgres://user:secret-word@127.0.0.1:1/x', { onError: (error) => errors.push(error) });
  await until(() => errors.length > 2);
  expect(feed.trust()).toBe('unreachable');
  await feed.close();
  expect(String(errors[0])).toContain('unavailable');
  expect(String(errors)).not.toContain('secret-word');
});

test('a change whose receiver fails is told again, and the feed is not trusted until it is taken', async () => {
  const { db, url } = await openFresh();
  let failures = 2;
  const { feed, seen } = follow(url, {
    onChange: (change) => {
      if (change.kind === 'plan' && failures-- > 0) throw new Error('cache is broken');
      seen.push(`${change.kind} ${change.subject}`);
    },
  });
  await until(() => feed.trust() === 'listening');
  await touch(db, 'basic');
  await until(() => seen.includes('plan basic'));
  expect(seen).toContain('trust unreachable');
  await until(() => feed.trust() === 'listening');
});

test('a closed feed tells nothing more and holds no connection', async () => {
  const { db, url } = await openFresh();
  const { feed, seen } = follow(url);
  await until(() => feed.trust() === 'listening');
  await feed.close();
  const before = seen.length;
  await touch(db, 'basic');
  await until(async () => (await connections(db)) === 0);
  expect(seen).toHaveLength(before);
});

function follow(url: string, options: Partial<ChangeFeedOptions> = {}): { feed: ChangeFeed; seen: string[] } {
  const seen: string[] = [];
  const feed = followChanges({
    url,
    onChange: ({ kind, subject }) => seen.push(`${kind} ${subject}`),
    onTrust: (trust) => seen.push(`trust ${trust}`),
    ...options,
  });
  onTestFinished(() => feed.close());
  return { feed, seen };
}

async function touch(db: Database, plan: string): Promise<void> {
  await db.query('UPDATE plans SET burst = burst + 1 WHERE name = $1', [plan]);
}

/** Ends one of the feed's two connections; they are told apart by their last statement. */
async function kill(db: Database, which: 'listener' | 'reader'): Promise<void> {
  await db.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tollgate-changes'
     AND datname = current_database() AND (query LIKE 'LISTEN%' OR query = 'SELECT 1') = $1`,
    [which === 'listener'],
  );
}

async function connections(db: Database): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'tollgate-changes' AND datname = current_database()",
  );
  return row?.count ?? 0;
}

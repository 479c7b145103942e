import { hash } from 'node:crypto';
import { generateApiKey, hashApiKey } from '@tollgate/domain/api-key';
import { createApiKey, revokeApiKey } from '@tollgate/postgres/api-keys';
import type { Database } from '@tollgate/postgres/database';
import { IMPORT_BATCH_ROWS, importApiKeys } from '@tollgate/postgres/import-api-keys';
import { rotateApiKey } from '@tollgate/postgres/rotate-api-key';
import { until } from '@tollgate/testing/until';
import { expect, test } from 'vitest';
import { type RunningAuthz, runningAuthz, secondAuthz } from './running-authz.js';

/** A million for the figures that are published. */
const SCANNED = Number(process.env['SCANNED_KEYS'] ?? 100_000);
const COLD = 200;
/** A test that asks as fast as it can shares its process with authz, which must not take that for overload. */
const UNSHED = { MAX_LOOP_DELAY: '1h' };

async function twoInstances(): Promise<[RunningAuthz, RunningAuthz]> {
  const one = await runningAuthz({ env: UNSHED });
  return [one, await secondAuthz(one, UNSHED)];
}

function newKey({ db, organization }: RunningAuthz, scopes: readonly string[] = []) {
  return createApiKey(
    db,
    { organizationId: organization.id, name: 'k', environment: 'live', scopes, createdBy: 'tester' },
    'tester',
  );
}

/** Keys of ours that were made elsewhere, so that nobody cached them. */
async function coldKeys({ db }: RunningAuthz, count: number): Promise<string[]> {
  const secrets = Array.from({ length: count }, () => generateApiKey('live'));
  for (let first = 0; first < count; first += IMPORT_BATCH_ROWS) {
    const rows = secrets.slice(first, first + IMPORT_BATCH_ROWS).map((secret, i) => ({
      line: first + i + 1,
      row: {
        organization: 'Acme',
        name: 'cold',
        environment: 'live' as const,
        keyHash: hashApiKey(secret),
        prefix: secret.slice(0, 12),
        scopes: [],
      },
    }));
    await importApiKeys(db, rows, { isDryRun: false, skipBad: false }, 'tester');
  }
  return secrets;
}

async function metric(authz: RunningAuthz, series: string): Promise<number> {
  const { text } = await authz.page('/metrics');
  return Number(new RegExp(`^${series.replaceAll(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1]);
}

function lookups(authz: RunningAuthz, result: string): Promise<number> {
  return metric(authz, `tollgate_key_cache_lookups_total{result="${result}",service="authz"}`);
}

function knows(authz: RunningAuthz, keys: number): Promise<unknown> {
  return until(async () => (await metric(authz, 'tollgate_known_keys{service="authz"}')) >= keys, undefined, 'all keys known');
}

/** Transactions of authz in this database, which the server counts when its connections end. */
async function transactions(db: Database): Promise<number> {
  const [row] = await db.query<{ count: string }>(
    'SELECT xact_commit + xact_rollback AS count FROM pg_stat_database WHERE datname = current_database()',
  );
  return Number(row?.count);
}

/** Runs `work` on every item, so many at once. */
async function eachOf<Item>(items: Iterable<Item>, atOnce: number, work: (item: Item) => Promise<unknown>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function* randomKeys(count: number): Generator<string> {
  for (let i = 0; i < count; i++) yield generateApiKey('live');
}

test(`a scan of ${SCANNED} random keys with valid checksums does not reach the database of two instances, and good keys do not notice it`, {
  timeout: 120_000 + SCANNED * 3,
}, async () => {
  const instances = await twoInstances();
  const [one] = instances;
  const [warm, cold] = [(await newKey(one)).secret, await coldKeys(one, COLD)];
  for (const each of instances) {
    await knows(each, COLD + 1);
    expect((await each.ask(warm)).status).toBe(200);
  }
  const before = await Promise.all(instances.map(counted));

  const startMs = performance.now();
  const asked = await Promise.all(instances.map((each) => scan(each, warm, [...cold])));
  const seconds = (performance.now() - startMs) / 1000;

  const after = await Promise.all(instances.map(counted));
  for (const [i, { hits, misses }] of after.entries()) {
    const { warmAsked, made } = asked[i] as Scanned;
    expect(hits - (before[i]?.hits ?? 0)).toBeGreaterThanOrEqual(0.999 * warmAsked);
    // But for the cold keys and the ones that were made.
    const scanned = misses - (before[i]?.misses ?? 0) - COLD - made;
    expect(scanned).toBeLessThanOrEqual(10 + 40 * seconds);
    console.info(`instance ${i + 1}: ${(scanned / seconds).toFixed(1)} look-ups/s of the scan, ${warmAsked} good keys asked`);
  }
  const reached = (await transactions(one.db)) - (before[0]?.transactions ?? 0);
  console.info(
    `${SCANNED} keys at ${Math.round(SCANNED / seconds)}/s: ${(reached / seconds).toFixed(1)} transactions/s of both and the test in all`,
  );
});

interface Scanned {
  warmAsked: number;
  /** Keys that were made meanwhile, and asked for until they passed. */
  made: number;
}

/** Half of the scan, on one instance, with good keys in between: warm ones, cold ones, and one that is made in its midst. */
async function scan(authz: RunningAuthz, warm: string, cold: string[]): Promise<Scanned> {
  const share = SCANNED / 2;
  const [coldEvery, half] = [Math.floor(share / COLD), share / 2];
  let asked = 0;
  let warmAsked = 0;
  await eachOf(randomKeys(share), 50, async (secret) => {
    expect((await authz.ask(secret)).code, authz.logged().slice(-2_000)).toBe('invalid_api_key');
    const nth = ++asked;
    if (nth % 10 === 0) {
      warmAsked++;
      expect((await authz.ask(warm)).status).toBe(200);
    }
    const next = nth % coldEvery === 0 ? cold.pop() : undefined;
    if (next !== undefined) expect((await authz.ask(next)).status).toBe(200);
    if (nth !== half) return;
    const { secret: made } = await newKey(authz);
    await until(async () => (await authz.ask(made)).status === 200, 1_000, 'a new key within a second');
  });
  expect(cold).toHaveLength(0);
  return { warmAsked, made: 1 };
}

async function counted(authz: RunningAuthz) {
  const [hits, misses] = [await lookups(authz, 'hit'), await lookups(authz, 'miss')];
  return { hits, misses, transactions: await transactions(authz.db) };
}

test('10,000 cold keys at once are all answered by the connections that there are', { timeout: 120_000 }, async () => {
  const authz = await runningAuthz({ env: { ...UNSHED, DATABASE_CONNECTIONS: '3' } });
  const secrets = await coldKeys(authz, 10_000);
  await knows(authz, 10_000);
  let most = 0;
  let isDone = false;
  const watching = (async () => {
    while (!isDone) {
      const [row] = await authz.db.query<{ count: number }>(
        "SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'tollgate authz' AND datname = current_database()",
      );
      most = Math.max(most, row?.count ?? 0);
    }
  })();
  const answers = await Promise.all(secrets.map(authz.ask));
  isDone = true;
  await watching;
  expect(new Set(answers.map(({ status, code }) => `${status} ${code}`)), authz.logged().slice(-2_000)).toEqual(
    new Set(['200 undefined']),
  );
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(3);
});

test('keys that are imported are known without a restart, and never unknown while they are read', async () => {
  const authz = await runningAuthz({ env: UNSHED });
  const { secret } = await newKey(authz);
  for (let round = 0; round < 3; round++) {
    const imported = await coldKeys(authz, 200);
    await until(async () => (await authz.ask(imported[0] as string)).status === 200, 1_000, 'an imported key within a second');
    // More than the budget of keys that are not known.
    for (const each of imported) expect((await authz.ask(each)).status).toBe(200);
    expect((await authz.ask(secret)).status).toBe(200);
  }
});

test('a rotated key ends by itself, at once where there is no overlap', async () => {
  const authz = await runningAuthz();
  const { secret, key } = await newKey(authz);
  expect((await authz.ask(secret)).status).toBe(200);
  const first = await rotateApiKey(authz.db, key.id, { overlapMs: 4_000 }, 'tester');
  expect((await authz.ask(first.secret)).status).toBe(200);
  expect((await authz.ask(secret)).status).toBe(200);
  await until(async () => (await authz.ask(secret)).code === 'expired_api_key', 20_000, 'the end of the overlap');
  const second = await rotateApiKey(authz.db, first.key.id, { overlapMs: 0 }, 'tester');
  await until(async () => (await authz.ask(first.secret)).code === 'revoked_api_key', 1_000, 'the end of the old key');
  expect((await authz.ask(second.secret)).status).toBe(200);
});

test('a route gets only keys that have all its scopes, and one that is malformed gets none', async () => {
  const authz = await runningAuthz();
  const keys = { none: await newKey(authz), read: await newKey(authz, ['orders:read']), all: await newKey(authz, ['*']) };
  const on = (key: { secret: string }, scope: string) => authz.check({ 'x-api-key': key.secret }, undefined, scope);
  expect((await on(keys.none, '')).status).toBe(200);
  expect((await on(keys.read, 'orders:read')).status).toBe(200);
  expect((await on(keys.all, 'orders:read, orders:write')).status).toBe(200);
  expect(await on(keys.read, 'orders:read orders:write')).toMatchObject({
    status: 403,
    code: 'insufficient_scope',
    metadata: undefined,
    body: { error: { message: expect.stringContaining('orders:write'), details: { missing: ['orders:write'] } } },
  });
  expect(await on(keys.none, 'orders:read')).toMatchObject({ status: 403, code: 'insufficient_scope' });
  expect(await on(keys.all, 'Orders;read')).toMatchObject({ status: 403, code: 'insufficient_scope' });
  expect(authz.logged()).toContain('malformed scope');
  await revokeApiKey(authz.db, keys.none.key.id, undefined, 'tester');
  await until(async () => (await on(keys.none, 'orders:read')).code === 'revoked_api_key', 1_000, 'revoked before scopes');
});

test('a key of another system passes where that is set, and nowhere else', async () => {
  const foreign = 'acme-9f8e7d6c5b4a39281706';
  const row = {
    organization: 'Acme',
    name: 'f',
    environment: 'live',
    keyHash: hash('sha256', foreign, 'hex'),
    prefix: 'acme',
    scopes: [],
  } as const;
  for (const [isSet, code] of [
    ['true', undefined],
    ['false', 'malformed_api_key'],
  ] as const) {
    const authz = await runningAuthz({ env: { ACCEPT_FOREIGN_KEYS: isSet } });
    const options = { isDryRun: false, skipBad: false };
    await importApiKeys(authz.db, [{ line: 1, row: { ...row, scopes: [] } }], options, 'tester');
    expect((await authz.ask(foreign)).code).toBe(code);
    expect((await authz.ask('acme-0000000000000000')).code).toBe(isSet === 'true' ? 'invalid_api_key' : 'malformed_api_key');
  }
});

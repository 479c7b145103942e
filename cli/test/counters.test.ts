import { createRedisLimitStore } from '@tollgate/limit-store/redis/redis-limit-store';
import { freshDatabase } from '@tollgate/testing/database';
import { freshRedis } from '@tollgate/testing/redis';
import { until } from '@tollgate/testing/until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fieldsOf, SHAPES } from './json-shapes.js';
import { type Cli, cliOn, runHere } from './run-cli.js';

let close: () => Promise<void>;
let cli: Cli;
let databaseUrl: string;
let redisUrl: string;
let take: (organizationId: string, cost: number, id: string, size: number) => Promise<unknown>;

beforeAll(async () => {
  const [database, redis] = await Promise.all([freshDatabase(), freshRedis()]);
  [databaseUrl, redisUrl] = [database.url, redis.url];
  cli = cliOn(database.url, { env: { REDIS_URL: redis.url } });
  const store = createRedisLimitStore({ url: redis.url, deadlineMs: 2_000 });
  await until(() => store.ping().then(() => true));
  take = (organizationId, cost, id, size) =>
    store.take({ organizationId, cost, limits: [{ kind: 'rate', id, perMinute: 1, burst: size }] });
  close = async () => {
    await store.close();
    await database.close();
    await redis.close();
  };
});
afterAll(() => close());

interface Counters {
  organization_id: string;
  key_id?: string;
  limits: { name: string; scope: string; limit: number; remaining: number; resets_at: string; is_shadow: boolean }[];
}
type Explanation = (typeof SHAPES)['counters explain'];

/** An organization with slow limits, so that nothing is refilled while a test runs, and a key. */
async function organization(name: string, ...limits: string[]) {
  const { id } = await cli.json<{ id: string }>('org', 'create', '--name', name);
  await cli.json('limits', 'set', name, '--per-minute', '1', '--burst', '10', ...limits);
  const key = await cli.json<{ id: string; prefix: string; key: string }>('key', 'create', '--org', name, '--name', 'k');
  return { id, key };
}

test('counters are read as they stand, and a look takes nothing', async () => {
  const { id } = await organization('Read', '--per-month', '500000');
  await take(id, 4, 'organization:minute', 10);
  const read = await cli.json<Counters>('counters', 'get', 'Read');
  expect(fieldsOf(read)).toEqual(fieldsOf(SHAPES.counters));
  expect(read.organization_id).toBe(id);
  expect(read.limits.map(({ name, limit, remaining }) => [name, limit, remaining])).toEqual([
    ['minute', 1, 6],
    ['day', 10_000, 10_000],
    ['month', 500_000, 500_000],
  ]);
  expect(await cli.json('counters', 'get', 'Read')).toMatchObject({ limits: [{ remaining: 6 }, {}, {}] });
  expect((await cli.run('counters', 'get', 'Read')).stdout).toMatch(/^minute +organization +1 +10 +6 +20\d\d-.*Z +enforced$/m);
});

test("a key's own limits stand beside those of its organization, and are reset apart from them", async () => {
  const { id, key } = await organization('Two');
  expect(await cli.failure('counters', 'reset', 'Two', '--key', key.id, '--yes')).toMatchObject({ exitCode: 3 });
  await cli.json('limits', 'set', 'Two', '--key', key.id, '--per-minute', '1', '--burst', '5', '--shadow');
  await take(id, 4, 'organization:minute', 10);
  await take(id, 3, `key:${key.id}:minute`, 5);
  const remaining = async () => {
    const { limits } = await cli.json<Counters>('counters', 'get', 'Two', '--key', key.id);
    return limits.map((limit) => [limit.name, limit.scope, limit.remaining, limit.is_shadow]);
  };
  const day = ['day', 'organization', 10_000, false];
  expect(await remaining()).toEqual([['minute', 'organization', 6, false], day, ['minute', 'key', 2, true]]);

  expect(await cli.failure('counters', 'reset', 'Two')).toMatchObject({ exitCode: 2 });
  expect(await cli.json('counters', 'reset', 'Two', '--yes')).toMatchObject({ limits: [{ remaining: 10 }, {}] });
  expect(await remaining()).toEqual([['minute', 'organization', 10, false], day, ['minute', 'key', 2, true]]);
  await cli.json('counters', 'reset', 'Two', '--key', key.id, '--yes');
  expect(await remaining()).toEqual([['minute', 'organization', 10, false], day, ['minute', 'key', 5, true]]);
  expect(await cli.json('org', 'history', 'Two', '--limit', '2')).toMatchObject([
    { actor: 'tester', action: 'counters.reset', subject_id: key.id, details: { limits: [`key:${key.id}:minute`] } },
    { action: 'counters.reset', subject_id: id, details: { limits: ['organization:minute', 'organization:day'] } },
  ]);
});

test('an explanation goes from the key to what its next request gets', async () => {
  const { id, key } = await organization('Explained', '--per-day', '400');
  const explain = (...words: string[]) => cli.json<Explanation>('counters', 'explain', ...words);
  const free = await explain(key.id);
  expect(fieldsOf(free)).toEqual(fieldsOf({ ...SHAPES['counters explain'], scopes: [], limits: [{ ...free.limits[0] }] }));
  expect(free).toMatchObject({
    organization: 'Explained',
    authorization: { allowed: true },
    limits: [
      { name: 'minute', remaining: 10, source: 'organization' },
      { name: 'day', remaining: 400, source: 'organization' },
    ],
    next_request: { decision: 'allowed', status: null },
  });
  await take(id, 8, 'organization:minute', 10);
  expect(await explain(key.prefix)).toMatchObject({ next_request: { decision: 'allowed' } });
  expect(await explain(key.id, '--cost', '11')).toMatchObject({
    next_request: { decision: 'limited', status: 429, code: 'rate_limit_exceeded', retry_after: null },
  });
  const denied = await explain(key.id, '--cost', '3');
  expect(denied.next_request).toMatchObject({ decision: 'limited', limit: 'minute', retry_after: expect.any(Number) });
  expect(denied.next_request.retry_after).toBeGreaterThan(50);
  const { stdout } = await cli.run('counters', 'explain', key.id, '--cost', '3');
  expect(stdout).toMatch(/^Minute +2 left of 1 a minute, burst 10; whole again 20.*Z; the organization's own$/m);
  expect(stdout).toMatch(/^Next request +429 rate_limit_exceeded, Retry-After: \d\d$/m);

  await cli.json('limits', 'set', 'Explained', '--shadow');
  expect(await explain(key.id, '--cost', '3')).toMatchObject({
    next_request: { decision: 'shadow', limit: 'minute', status: null },
  });
});

test('an explanation tells what authz would answer: scopes, a suspension, a revocation, and a key by stdin', async () => {
  const { key } = await organization('Judged');
  const words = ['counters', 'explain', '-o', 'json'];
  const explain = async (...more: string[]) =>
    JSON.parse((await runHere([...words, ...more], { env: environment(), stdin: `${key.key}\n` })).stdout) as Explanation;
  const environment = () => ({ DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, TOLLGATE_ACTOR: 'tester' });
  expect(await explain()).toMatchObject({ key_id: key.id, next_request: { decision: 'allowed' } });
  expect(await explain('--scope', 'orders:read, orders:write')).toMatchObject({
    authorization: { allowed: false, code: 'insufficient_scope', missing_scopes: ['orders:read', 'orders:write'] },
    next_request: { decision: 'denied', status: 403, code: 'insufficient_scope' },
  });
  await cli.json('org', 'suspend', 'Judged', '--yes');
  expect(await explain()).toMatchObject({ next_request: { decision: 'denied', code: 'organization_suspended' } });
  await cli.json('key', 'revoke', key.id, '--yes');
  expect(await explain()).toMatchObject({ authorization: { code: 'revoked_api_key' }, next_request: { status: 403 } });

  for (const [stdin, answer] of [
    [`${key.key.slice(0, -1)}`, '401 malformed_api_key'],
    ['sk_live_zzzz', '401 malformed_api_key'],
    ['', 'No key came by stdin'],
  ] as const) {
    const { exitCode, stderr } = await runHere(words, { env: environment(), stdin });
    expect(exitCode).toBe(stdin === '' ? 2 : 3);
    expect(stderr).toContain(answer);
    if (stdin !== '') expect(stderr).not.toContain(stdin);
  }
  expect((await cli.run('counters', 'explain', key.key)).stderr).not.toContain(key.key);
});

test('where nobody counts, and where Redis does not answer, the command says what to do', async () => {
  await organization('Nowhere');
  const nowhere = cliOn(databaseUrl);
  expect(await nowhere.failure('counters', 'get', 'Nowhere')).toMatchObject({
    ...{ exitCode: 78, code: 'no_counters' },
    message: expect.stringContaining('set REDIS_URL'),
  });
  const gone = cliOn(databaseUrl, { env: { REDIS_URL: 'redis://:open-sesame@127.0.0.1:1' } });
  const failure = await gone.failure('counters', 'reset', 'Nowhere', '--yes');
  expect(failure).toMatchObject({ exitCode: 69, code: 'unavailable' });
  expect(failure.message).not.toContain('open-sesame');
  // What was not reset is not said to have been.
  expect(await cli.json('org', 'history', 'Nowhere', '--limit', '1')).not.toMatchObject([{ action: 'counters.reset' }]);
});

import { generateApiKey } from '@tollgate/domain/api-key';
import { type DatabaseServer, freshDatabase, startDatabaseServer } from '@tollgate/testing/database';
import { until } from '@tollgate/testing/until';
import { beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from './gateway.js';
import type { Answer } from './http-client.js';
import { type Key, type Operator, operate } from './operator.js';

/** Promised: from the return of the database to keys being judged again. */
const BACK_DEADLINE_MS = 1_000;
const STORED_DEADLINE_MS = 5_000;

let server: DatabaseServer;
let gateway: Gateway;
let operator: Operator;
let known: Key;
let tight: Key;

beforeAll(async () => {
  server = await startDatabaseServer();
  const database = await freshDatabase({ serverUrl: server.url });
  gateway = await startGateway({ env: { DATABASE_URL: database.url } });
  operator = operate(gateway);
  known = await operator.newcomer('enterprise');
  tight = await operator.newcomer('basic');
  await operator.setLimits(tight.organizationId, { perMinute: 1, burst: 5 });
  return async () => {
    await operator.close();
    await gateway.close();
    await server.close();
  };
});

const withKey = (secret: string): Promise<Answer> => gateway.ask('/x', { headers: { 'x-api-key': secret } });

test('while the database is down, known keys work and keep their limits, unknown ones hear 503, and no usage is lost', async () => {
  const unknown = generateApiKey('live');
  // Known to be unknown, a moment ago.
  expect((await withKey(unknown)).status).toBe(403);
  const answers = [await withKey(known.secret), await withKey(tight.secret)];
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);

  await server.stop();
  const during = await Promise.all(Array.from({ length: 50 }, () => withKey(known.secret)));
  expect(new Set(during.map(({ status }) => status))).toEqual(new Set([200]));
  expect(during.filter(({ headers }) => headers['x-ratelimit-limit-minute'] === '10000').length).toBeGreaterThan(0);
  const denials = await Promise.all([unknown, ...Array.from({ length: 20 }, () => generateApiKey('live'))].map(withKey));
  for (const answer of denials) {
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body).error.code).toBe('authorization_unavailable');
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  }
  // What needs no look-up is answered as ever.
  expect((await withKey('sk_live_typo')).status).toBe(401);
  expect((await gateway.ask('/x', { headers: {} })).status).toBe(401);
  const limited = await Promise.all(Array.from({ length: 20 }, () => withKey(tight.secret)));
  expect(limited.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(5);
  expect(new Set(limited.map(({ status }) => status))).toEqual(new Set([200, 429]));

  await server.start();
  await until(async () => (await withKey(unknown)).status === 403, BACK_DEADLINE_MS, 'judging unknown keys again');
  const expected = [...answers, ...during, ...limited].map(({ headers }) => String(headers['x-request-id']));
  await until(
    async () => (await operator.usage()).length >= expected.length,
    STORED_DEADLINE_MS,
    'usage of the time without a database',
  );
  const stored = await operator.usage();
  expect(new Set(stored.map(({ request_id }) => request_id))).toEqual(new Set(expected));
  expect(stored).toHaveLength(expected.length);
});

test('a key that was revoked around the loss of the database is denied within a second of its return', async () => {
  const before = await appliedChanges();
  const key = await operator.newcomer('enterprise');
  // The news of a key that was made forgets what is cached of it: it must be over before the key is cached for good.
  await until(async () => (await appliedChanges()) >= before + 2, 5_000, 'the news of the organization and its key');
  expect((await withKey(key.secret)).status).toBe(200);
  await server.kill();
  expect((await withKey(key.secret)).status).toBe(200);
  await server.start();
  await operator.tollgate('key', 'revoke', key.keyId);
  await until(async () => (await withKey(key.secret)).status === 403, BACK_DEADLINE_MS, 'the revocation');
});

/** How many changes authz has applied. */
async function appliedChanges(): Promise<number> {
  const { services } = (await gateway.gatewayFile()) ?? { services: {} };
  const page = await (await fetch(`${(services as Record<string, string>)['authz']}/metrics`)).text();
  return Number(/^tollgate_revocation_delay_seconds_count\{.*\} (\d+)/m.exec(page)?.[1]);
}

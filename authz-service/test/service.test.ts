import { status } from '@grpc/grpc-js';
import { generateApiKey, hashApiKey } from '@tollgate/domain/api-key';
import { createApiKey, revokeApiKey } from '@tollgate/postgres/api-keys';
import type { Sql } from '@tollgate/postgres/database';
import { setOrganizationActive, updateOrganization } from '@tollgate/postgres/organizations';
import { startDatabaseServer } from '@tollgate/testing/database';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { CHECK } from './envoy-client.js';
import { type RunningAuthz, runningAuthz } from './running-authz.js';

/** A change takes effect within a second of its COMMIT. */
const SECOND_MS = 1_000;

function newKey({ db, organization }: RunningAuthz, parts: { environment?: 'live' | 'test' } = {}) {
  const { environment = 'live' } = parts;
  const key = { organizationId: organization.id, name: 'main', environment, scopes: [], createdBy: 'tester' };
  return createApiKey(db, key, 'tester');
}

/** Waits until the key is answered so. */
function answered(authz: RunningAuthz, secret: string, code: string | undefined): Promise<unknown> {
  const what = `${code ?? 'passing'} within a second of the change`;
  return until(async () => (await authz.ask(secret)).code === code, SECOND_MS, what);
}

/** Waits until so many changes were applied: a change that comes later would make a cached key be read again. */
function applied(authz: RunningAuthz, changes: number): Promise<unknown> {
  const count = /^tollgate_revocation_delay_seconds_count\{.*\} (\d+)$/m;
  return until(async () => Number(count.exec((await authz.page('/metrics')).text)?.[1]) >= changes, undefined, 'the changes');
}

async function expire(db: Sql, keyId: string): Promise<void> {
  const passed = "created_at = now() - interval '2 days', expires_at = now() - interval '1 day'";
  await db.query(`UPDATE api_keys SET ${passed} WHERE id = $1`, [keyId]);
}

test('every case of a caller gets its status, its code and its headers', async () => {
  const authz = await runningAuthz();
  const { db, organization } = authz;
  const good = await newKey(authz, { environment: 'test' });
  const revoked = await newKey(authz);
  await revokeApiKey(db, revoked.key.id, undefined, 'tester');
  const expired = await newKey(authz);
  await expire(db, expired.key.id);
  const json = { 'content-type': 'application/json' };
  const challenge = { ...json, 'www-authenticate': 'Bearer' };

  const denied = (code: string, of: number) => ({ kind: 'denied_response', status: of, code, metadata: undefined });
  const inApiKey = (secret: string) => ({ 'x-api-key': secret });
  const cases: [headers: Record<string, string>, answer: object][] = [
    [{}, { ...denied('missing_api_key', 401), headers: challenge }],
    [inApiKey('sk_live_short'), { ...denied('malformed_api_key', 401), headers: challenge }],
    [{ ...inApiKey(good.secret), authorization: `Bearer ${revoked.secret}` }, denied('malformed_api_key', 401)],
    [inApiKey(generateApiKey('live')), { ...denied('invalid_api_key', 403), headers: json }],
    [inApiKey(revoked.secret), denied('revoked_api_key', 403)],
    [inApiKey(expired.secret), denied('expired_api_key', 403)],
  ];
  for (const [headers, answer] of cases) expect(await authz.check(headers)).toMatchObject(answer);

  const passes = { kind: 'ok_response', status: 200, code: undefined };
  expect(await authz.ask(good.secret)).toMatchObject({
    ...passes,
    headers: { 'x-organization-id': organization.id, 'x-api-key-id': good.key.id, 'x-plan-tier': 'premium' },
    metadata: { organization_id: organization.id, key_id: good.key.id, plan: 'premium', environment: 'test' },
  });
  expect(await authz.check({ authorization: `bearer ${good.secret}` })).toMatchObject(passes);

  await setOrganizationActive(db, organization.id, false, 'tester');
  await answered(authz, good.secret, 'organization_suspended');
  expect(await authz.ask(good.secret)).toMatchObject(denied('organization_suspended', 403));
});

test('the request id of a message is the one that came with the call, or null', async () => {
  const { check } = await runningAuthz();
  expect((await check({}, 'stream-1')).body.request_id).toBe('stream-1');
  expect((await check({})).body.request_id).toBeNull();
});

test('revoking, suspending, resuming and another plan take effect within a second', async () => {
  const authz = await runningAuthz();
  const { db, organization } = authz;
  const [first, second] = [await newKey(authz), await newKey(authz)];
  for (const { secret } of [first, second]) expect((await authz.ask(secret)).status).toBe(200);

  await revokeApiKey(db, first.key.id, 'leaked', 'tester');
  await answered(authz, first.secret, 'revoked_api_key');
  expect((await authz.ask(second.secret)).status).toBe(200);

  await setOrganizationActive(db, organization.id, false, 'tester');
  await answered(authz, second.secret, 'organization_suspended');
  await setOrganizationActive(db, organization.id, true, 'tester');
  await answered(authz, second.secret, undefined);

  await updateOrganization(db, organization.id, { plan: 'enterprise' }, 'tester');
  await until(async () => (await authz.ask(second.secret)).headers['x-plan-tier'] === 'enterprise', SECOND_MS, 'the new plan');
});

test('a new key works within a second, even where it had just been asked for in vain', async () => {
  const authz = await runningAuthz();
  const secret = generateApiKey('live');
  expect((await authz.ask(secret)).code).toBe('invalid_api_key');
  await authz.db.transaction(async (tx) => {
    const { key } = await newKey({ ...authz, db: { ...authz.db, ...tx } });
    await tx.query('UPDATE api_keys SET key_hash = $1 WHERE id = $2', [hashApiKey(secret), key.id]);
  });
  await answered(authz, secret, undefined);
});

test('without its database it goes on with known keys, denies nobody else, and is back with it within a second', async () => {
  const server = await startDatabaseServer();
  onTestFinished(() => server.close());
  const authz = await runningAuthz({ serverUrl: server.url });
  const [warm, cold] = [await newKey(authz), await newKey(authz)];
  await applied(authz, 3); // the organization and both keys
  expect((await authz.ask(warm.secret)).status).toBe(200);

  await server.stop();
  const ready = await until(async () => {
    const page = await authz.page('/health/ready');
    return page.text.includes('unreachable') && page;
  });
  expect(ready.status).toBe(200);
  expect(JSON.parse(ready.text)).toMatchObject({
    status: 'degraded',
    components: { database: { status: 'degraded', detail: expect.stringMatching(/cached keys go on for \d+ s/) } },
  });
  for (const secret of [cold.secret, generateApiKey('live'), cold.secret]) {
    expect(await authz.ask(secret)).toMatchObject({
      kind: 'error_response',
      status: 503,
      code: 'authorization_unavailable',
      headers: { 'content-type': 'application/json', 'retry-after': expect.stringMatching(/^[1-3]$/) },
      metadata: undefined,
    });
    expect((await authz.ask(warm.secret)).status).toBe(200);
  }
  expect((await authz.check({})).code).toBe('missing_api_key');

  await server.start();
  await until(async () => (await authz.ask(cold.secret)).status === 200, SECOND_MS, 'an unknown key within a second');
  await revokeApiKey(authz.db, warm.key.id, undefined, 'tester');
  await until(async () => (await authz.ask(warm.secret)).code === 'revoked_api_key', undefined, 'following changes again');
  for (const { secret } of [warm, cold]) expect(authz.logged()).not.toContain(secret);
});

test('with MAX_STALE over, a cached key is no longer believed', async () => {
  const server = await startDatabaseServer();
  onTestFinished(() => server.close());
  const authz = await runningAuthz({ serverUrl: server.url, env: { MAX_STALE: '1ms' } });
  const { secret } = await newKey(authz);
  expect((await authz.ask(secret)).status).toBe(200);
  await server.stop();
  await until(async () => (await authz.ask(secret)).kind === 'error_response');
  const page = await until(async () => {
    const found = await authz.page('/health/ready');
    return found.status === 503 && found;
  });
  expect(JSON.parse(page.text)).toMatchObject({ components: { database: { status: 'down' } } });
});

test('1,000 callers of one cold key are one query', async () => {
  const authz = await runningAuthz();
  const { db } = authz;
  const secrets = [(await newKey(authz)).secret, generateApiKey('live')];
  // The database itself counts how often it is asked for keys.
  await db.query('CREATE SEQUENCE asked_for_keys MINVALUE 0');
  await db.query('ALTER TABLE api_keys RENAME TO stored_api_keys');
  await db.query("CREATE VIEW api_keys AS SELECT * FROM stored_api_keys WHERE (SELECT nextval('asked_for_keys')) >= 0");
  const queries = async () => {
    const [row] = await db.query<{ next: string }>("SELECT nextval('asked_for_keys') AS next");
    return Number(row?.next);
  };
  expect(await queries()).toBe(0);
  for (const secret of secrets) {
    const before = await queries();
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => authz.ask(secret)));
    expect((await queries()) - before - 1).toBe(1);
    expect(new Set(answers.map(({ code }) => code)).size).toBe(1);
  }
});

test('bytes that are no CheckRequest are INVALID_ARGUMENT', async () => {
  const { raw } = await runningAuthz();
  await expect(raw(CHECK, Buffer.from('0aff', 'hex'))).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
});

test('a request without attributes is one without a key', async () => {
  const { raw } = await runningAuthz();
  expect((await raw(CHECK, Buffer.alloc(0))).toString()).toContain('missing_api_key');
});

test('grpc.health.v1 and the health pages say that it serves', async () => {
  const { raw, page } = await runningAuthz();
  const service = 'envoy.service.auth.v3.Authorization';
  const asked = Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
  for (const message of [Buffer.alloc(0), asked]) {
    expect(await raw('/grpc.health.v1.Health/Check', message)).toEqual(Buffer.from([0x08, 1]));
  }
  expect(await page('/health/live')).toMatchObject({ status: 200 });
  const ready = await until(async () => {
    const { text, status: code } = await page('/health/ready');
    return text.includes('"database":{"status":"ok"}') && { text, code };
  });
  expect(ready.code).toBe(200);
});

test('the metrics page has what operators watch, and names no key and no organization', async () => {
  const authz = await runningAuthz();
  const { secret, key } = await newKey(authz);
  await applied(authz, 2); // the organization and the key
  await authz.ask(secret);
  await authz.ask(secret);
  await authz.check({});
  await revokeApiKey(authz.db, key.id, undefined, 'tester');
  await answered(authz, secret, 'revoked_api_key');
  const { text } = await authz.page('/metrics');
  const value = (series: string) => Number(new RegExp(`^${series.replaceAll(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1]);
  const labels = (given: string) => `{${given},service="authz"}`;
  expect(value(`tollgate_authz_decisions_total${labels('decision="allowed",reason="ok"')}`)).toBeGreaterThanOrEqual(2);
  expect(value(`tollgate_authz_decisions_total${labels('decision="denied",reason="missing_api_key"')}`)).toBe(1);
  expect(value(`tollgate_authz_decisions_total${labels('decision="denied",reason="revoked_api_key"')}`)).toBe(1);
  expect(value(`tollgate_authz_decisions_total${labels('decision="unavailable",reason="authorization_unavailable"')}`)).toBe(0);
  expect(value(`tollgate_key_cache_lookups_total${labels('result="hit"')}`)).toBeGreaterThanOrEqual(1);
  for (const result of ['miss', 'absent', 'stale']) {
    expect(value(`tollgate_key_cache_lookups_total${labels(`result="${result}"`)}`), result).toBeGreaterThanOrEqual(0);
  }
  expect(value('tollgate_cache_trust_state{service="authz"}')).toBe(0);
  expect(value('tollgate_authz_duration_seconds_count{service="authz"}')).toBeGreaterThanOrEqual(4);
  expect(value('tollgate_revocation_delay_seconds_count{service="authz"}')).toBeGreaterThanOrEqual(1);
  expect(text).toMatch(/^tollgate_build_info\{.*\} 1$/m);
  for (const hidden of [secret, hashApiKey(secret), key.id, authz.organization.id]) expect(text).not.toContain(hidden);
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { createApiKey } from '@tollgate/postgres/api-keys';
import type { LimitsPatch } from '@tollgate/postgres/limit-columns';
import { clearLimits, setLimits } from '@tollgate/postgres/limits';
import { updateOrganization } from '@tollgate/postgres/organizations';
import { setPlan } from '@tollgate/postgres/plans';
import { startDatabaseServer } from '@tollgate/testing/database';
import { freshRedis, startRedis } from '@tollgate/testing/redis';
import { until } from '@tollgate/testing/until';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CODE, descriptorOf, type LimitAnswer, SHOULD_RATE_LIMIT, UNIT } from './envoy-client.js';
import { anOrganization, type RunningRateLimit, runningRateLimit } from './running-ratelimit.js';

/** A change takes effect within a second of its COMMIT. */
const SECOND_MS = 1_000;
const MEMORY = { RATELIMIT_STORE: 'memory' };
const UNKNOWN_ORGANIZATION = '33333333-3333-4333-8333-333333333333';

const STORES: [name: string, env: () => Promise<Record<string, string>>][] = [
  ['memory', async () => MEMORY],
  [
    'redis',
    async () => {
      const redis = await freshRedis();
      onTestFinished(() => redis.close());
      return { REDIS_URL: redis.url };
    },
  ],
];

const header = (answer: LimitAnswer, name: string): number => Number(answer.headers[`X-RateLimit-${name}`]);
const errorOf = (answer: LimitAnswer) => (JSON.parse(answer.body) as { error: { code: string; details: object } }).error;

/** Takes until it is denied, at most `most` times; the answers in their order. */
async function takeAll({ take }: RunningRateLimit, most: number): Promise<LimitAnswer[]> {
  const answers: LimitAnswer[] = [];
  while (answers.length < most && answers.at(-1)?.code !== CODE.OVER_LIMIT) answers.push(await take());
  return answers;
}

/** A key with limits of its own. */
async function ownKey({ db, organization }: RunningRateLimit, limits: LimitsPatch) {
  const named = { organizationId: organization.id, name: 'main', environment: 'live', scopes: [], createdBy: 'tester' } as const;
  const { key } = await createApiKey(db, named, 'tester');
  await setLimits(db, { organizationId: organization.id, keyId: key.id }, limits, 'tester');
  return key;
}

/** Waits until the limit of the minute is shown as this. */
function shown({ look }: RunningRateLimit, perMinute: number, keyId?: string): Promise<unknown> {
  const what = `${perMinute} a minute within a second of the change`;
  return until(async () => header(await look(keyId), 'Limit-Minute') === perMinute, SECOND_MS, what);
}

describe.each(STORES)('on %s', (_, env) => {
  const running = async (limits?: LimitsPatch) => runningRateLimit(await anOrganization(limits), await env());

  test('the burst passes, then nothing until Retry-After is over, and then one request does', async () => {
    const limiter = await running({ perMinute: 60, burst: 5 });
    const answers = await takeAll(limiter, 20);
    const denied = answers.at(-1) as LimitAnswer;
    const deniedAtMs = Date.now();
    expect(answers.length).toBeGreaterThan(5);
    expect(answers[0]).toMatchObject({ code: CODE.OK, metadata: { decision: 'allowed' } });
    expect(header(answers[0] as LimitAnswer, 'Remaining-Minute')).toBe(4);
    expect(denied).toMatchObject({ code: CODE.OVER_LIMIT, metadata: { decision: 'limited', limit: 'minute' } });
    expect(denied.headers).toMatchObject({ 'content-type': 'application/json', 'Retry-After': '1' });
    expect(JSON.parse(denied.body)).toMatchObject({ request_id: 'stream-1' });
    expect(errorOf(denied)).toMatchObject({
      code: 'rate_limit_exceeded',
      details: { limit_type: 'minute', limit: 60, remaining: 0, retry_after: 1 },
    });

    const retryAtMs = deniedAtMs + Number(denied.headers['Retry-After']) * 1000;
    await until(() => Date.now() >= retryAtMs);
    expect((await limiter.take()).code).toBe(CODE.OK);
  });

  test('a day that is used up is a quota until midnight UTC, and takes nothing from the minute', async () => {
    const limiter = await running({ perMinute: 3, burst: 30, perDay: 4 });
    const answers = await takeAll(limiter, 10);
    expect(answers).toHaveLength(5);
    const [before, denied] = answers.slice(-2) as [LimitAnswer, LimitAnswer];
    const untilMidnight = 86_400 - (Math.floor(Date.now() / 1000) % 86_400);
    expect(errorOf(denied)).toMatchObject({ code: 'quota_exceeded', details: { limit_type: 'day', limit: 4, remaining: 0 } });
    expect(Math.abs(Number(denied.headers['Retry-After']) - untilMidnight)).toBeLessThan(10);
    expect(header(denied, 'Remaining-Minute')).toBeGreaterThanOrEqual(header(before, 'Remaining-Minute'));
    expect(header(denied, 'Reset-Day') % 86_400).toBe(0);
  });

  test('a look takes nothing, and a cost takes as much at once', async () => {
    const { look, take } = await running({ perMinute: 1, burst: 10 });
    expect(header(await look(), 'Remaining-Minute')).toBe(10);
    expect(header(await take({ hits_addend: { value: 7 } }), 'Remaining-Minute')).toBe(3);
    expect((await take({ hits_addend: { value: 4 } })).code).toBe(CODE.OVER_LIMIT);
    expect(header(await take(), 'Remaining-Minute')).toBe(2);
    const never = await take({ hits_addend: { value: 11 } });
    expect(never).toMatchObject({ code: CODE.OVER_LIMIT });
    expect(never.headers).not.toHaveProperty('Retry-After');
  });

  test('a key with its own limit must pass both, and the tighter is shown', async () => {
    const limiter = await running({ perMinute: 2, burst: 10 });
    const { take } = limiter;
    const key = await ownKey(limiter, { perMinute: 1, burst: 2 });
    await shown(limiter, 1, key.id);
    const ofKey = [await take({}, key.id), await take({}, key.id), await take({}, key.id)];
    expect(ofKey.map(({ code }) => code)).toEqual([CODE.OK, CODE.OK, CODE.OVER_LIMIT]);
    const other = await take({}, 'another');
    expect([header(other, 'Limit-Minute'), header(other, 'Remaining-Minute')]).toEqual([2, 7]);
  });

  test('a limit in a descriptor tightens its own requests, and leaves the rest of the organization’s bucket whole', async () => {
    const { take, look } = await running();
    const tight = { limit: { requests_per_unit: 2, unit: UNIT.MINUTE } };
    const answers = [await take(tight), await take(tight), await take(tight)];
    expect(answers.map(({ code }) => code)).toEqual([CODE.OK, CODE.OK, CODE.OVER_LIMIT]);
    expect(header(answers[0] as LimitAnswer, 'Limit-Minute')).toBe(2);
    expect(header(await look(), 'Remaining-Minute')).toBeGreaterThanOrEqual(148);
    const loose = await take({ limit: { requests_per_unit: 1_000_000, unit: UNIT.MINUTE } });
    expect(header(loose, 'Limit-Minute')).toBe(100);
  });

  test('in shadow everything passes, counted and told; a key’s own limit denies all the same', async () => {
    const limiter = await running({ perMinute: 1, burst: 2, isShadow: true });
    const { db, organization, take, page } = limiter;
    const answers = [await take(), await take(), await take(), await take()];
    expect(answers.map(({ code, metadata }) => [code, metadata['decision'], metadata['limit']])).toEqual([
      [CODE.OK, 'allowed', undefined],
      [CODE.OK, 'allowed', undefined],
      [CODE.OK, 'shadow', 'minute'],
      [CODE.OK, 'shadow', 'minute'],
    ]);
    expect(answers.map(({ headers }) => headers['X-RateLimit-Shadow'])).toEqual([undefined, undefined, 'minute', 'minute']);
    expect((await page('/metrics')).text).toMatch(
      /^tollgate_ratelimit_decisions_total\{result="shadow",limit="minute",service="ratelimit"\} 2$/m,
    );

    const key = await ownKey(limiter, { perMinute: 2, burst: 2, perDay: 1_000 });
    await shown(limiter, 2, key.id);
    const ofKey = [await take({}, key.id), await take({}, key.id), await take({}, key.id)];
    expect(ofKey.map(({ code, metadata }) => [code, metadata['decision']])).toEqual([
      [CODE.OK, 'shadow'],
      [CODE.OK, 'shadow'],
      [CODE.OVER_LIMIT, 'limited'],
    ]);
    expect(header(ofKey[2] as LimitAnswer, 'Limit-Minute')).toBe(2);
    expect(header(ofKey[2] as LimitAnswer, 'Remaining-Day')).toBe(998);

    await setLimits(db, { organizationId: organization.id }, { isShadow: false }, 'tester');
    await until(async () => (await take()).code === CODE.OVER_LIMIT, SECOND_MS, 'the end of the shadow');
  });

  test('another plan, a changed plan, an override and its end are in force within a second', async () => {
    const limiter = await running();
    const { db, organization } = limiter;
    await shown(limiter, 100);
    await updateOrganization(db, organization.id, { plan: 'premium' }, 'tester');
    await shown(limiter, 1_000);
    await setPlan(db, 'premium', { perMinute: 1_234 }, 'tester');
    await shown(limiter, 1_234);
    await setLimits(db, { organizationId: organization.id }, { perMinute: 77 }, 'tester');
    await shown(limiter, 77);
    await clearLimits(db, { organizationId: organization.id }, 'tester');
    await shown(limiter, 1_234);
  });
});

describe('what it does not limit or cannot read', () => {
  const running = async () => runningRateLimit(await anOrganization(), MEMORY);

  test('an unknown organization passes, marked and counted', async () => {
    const { client, page } = await running();
    const answer = await client.ask({ descriptors: [descriptorOf(UNKNOWN_ORGANIZATION)] });
    expect(answer).toMatchObject({ code: CODE.OK, headers: {}, metadata: { decision: 'unlimited' } });
    expect((await page('/metrics')).text).toMatch(/^tollgate_ratelimit_decisions_total\{result="unlimited".*\} 1$/m);
  });

  test('another domain passes', async () => {
    const { client, organization } = await running();
    const answer = await client.ask({ domain: 'other', descriptors: [descriptorOf(organization.id)] });
    expect(answer).toMatchObject({ code: CODE.OK, metadata: { decision: 'unlimited' } });
  });

  test('a senseless question is INVALID_ARGUMENT', async () => {
    const { client, organization } = await running();
    const descriptor = descriptorOf(organization.id);
    for (const request of [
      { domain: '', descriptors: [descriptor] },
      { descriptors: [] },
      { descriptors: [descriptor, descriptor] },
      { descriptors: [{ entries: [] }] },
    ]) {
      await expect(client.ask(request)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    }
    const broken = client.raw(SHOULD_RATE_LIMIT, Buffer.from('0aff', 'hex'));
    await expect(broken).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });
});

test('without Redis it decides by a local bucket, says so, never fails, and goes back to it', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.close());
  const limiter = await runningRateLimit(await anOrganization({ perMinute: 1, burst: 5 }), { REDIS_URL: redis.url });
  const { take, page } = limiter;
  const isDegraded = (answer: LimitAnswer) => answer.headers['X-RateLimit-Degraded'] === 'true';
  await until(async () => !isDegraded(await limiter.look()));

  await redis.kill();
  const answers = await takeAll(limiter, 20);
  expect(answers.at(-1)?.code).toBe(CODE.OVER_LIMIT);
  expect(answers.length - 1, 'one fresh local bucket at most').toBeLessThanOrEqual(6);
  expect(answers.every(isDegraded)).toBe(true);
  await take();
  expect((await page('/metrics')).text).toMatch(/^tollgate_ratelimit_degraded\{.*\} 1$/m);
  const notByRedis = /^tollgate_ratelimit_degraded_takes_total\{.*\} (\d+)$/m.exec((await page('/metrics')).text)?.[1];
  expect(Number(notByRedis), 'takes that Redis did not decide').toBeGreaterThanOrEqual(answers.length + 1);
  const ready = await page('/health/ready');
  expect(ready.status).toBe(200);
  expect(JSON.parse(ready.text)).toMatchObject({ components: { store: { status: 'degraded' }, database: { status: 'ok' } } });

  await redis.start();
  await until(async () => !isDegraded(await limiter.look()), undefined, 'the store to be asked again');
  expect((await page('/metrics')).text).toMatch(/^tollgate_ratelimit_degraded\{.*\} 0$/m);
});

test('without its database the last known limits stay, and a stranger’s call fails so that Envoy lets it pass', async () => {
  const server = await startDatabaseServer();
  onTestFinished(() => server.close());
  const limiter = await runningRateLimit(await anOrganization({ perMinute: 1, burst: 3 }, server.url), MEMORY);
  expect((await limiter.take()).code).toBe(CODE.OK);

  await server.stop();
  await until(async () => (await limiter.page('/health/ready')).text.includes('last known limits'));
  const answers = await takeAll(limiter, 10);
  expect(answers.map(({ code }) => code)).toEqual([CODE.OK, CODE.OK, CODE.OVER_LIMIT]);
  const stranger = { descriptors: [descriptorOf(UNKNOWN_ORGANIZATION)] };
  await expect(limiter.client.ask(stranger)).rejects.toMatchObject({ code: status.UNAVAILABLE });

  await server.start();
  await until(async () => (await limiter.client.ask(stranger)).code === CODE.OK, SECOND_MS, 'the database to be asked again');
  await setLimits(limiter.db, { organizationId: limiter.organization.id }, { perMinute: 9 }, 'tester');
  await until(async () => header(await limiter.look(), 'Limit-Minute') === 9, undefined, 'following changes again');
});

test('with RATELIMIT_STORE=memory, what was used of a quota outlives a restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-quotas-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const world = await anOrganization();
  const first = await runningRateLimit(world, { ...MEMORY, DATA_DIR: folder });
  await first.take({ hits_addend: { value: 10 } });
  await first.close();
  const second = await runningRateLimit(world, { ...MEMORY, DATA_DIR: folder });
  expect(header(await second.look(), 'Remaining-Day')).toBe(9_990);
});

test('the metrics page has what operators watch, and names no organization', async () => {
  const limiter = await runningRateLimit(await anOrganization({ perMinute: 1, burst: 1 }), MEMORY);
  await takeAll(limiter, 5);
  const { text } = await limiter.page('/metrics');
  for (const series of [
    /^tollgate_ratelimit_decisions_total\{result="allowed",limit="none",service="ratelimit"\} 1$/m,
    /^tollgate_ratelimit_decisions_total\{result="limited",limit="minute",service="ratelimit"\} 1$/m,
    /^tollgate_ratelimit_decisions_total\{result="limited",limit="month",service="ratelimit"\} 0$/m,
    /^tollgate_ratelimit_store_duration_seconds_count\{service="ratelimit"\} 2$/m,
    /^tollgate_ratelimit_degraded\{service="ratelimit"\} 0$/m,
    /^tollgate_build_info\{.*\} 1$/m,
  ]) {
    expect(text).toMatch(series);
  }
  expect(text).not.toContain(limiter.organization.id);
});

test('grpc.health.v1 and the health pages say that it serves', async () => {
  const { client, page } = await runningRateLimit(await anOrganization(), MEMORY);
  expect(await client.raw('/grpc.health.v1.Health/Check', Buffer.alloc(0))).toEqual(Buffer.from([0x08, 1]));
  expect(await page('/health/live')).toMatchObject({ status: 200 });
  expect(await page('/health/ready')).toMatchObject({ status: 200 });
});

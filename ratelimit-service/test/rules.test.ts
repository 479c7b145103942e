import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { SettingsError } from '@tollgate/service-kit/settings';
import { freshRedis, startRedis } from '@tollgate/testing/redis';
import { until } from '@tollgate/testing/until';
import { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readConfig } from '../src/config.js';
import { startRateLimitService } from '../src/service.js';
import { CODE, descriptorOf, UNIT } from './envoy-client.js';
import { anOrganization, runningRateLimit } from './running-ratelimit.js';
import { entriesOf, type RunningRules, runningRules } from './running-rules.js';

const MEMORY = { RATELIMIT_STORE: 'memory' };
const MAX_UINT32 = 4_294_967_295;
/** Units of a day and more: no test runs into the end of one. */
const RULES = `
domain: shop
descriptors:
  - key: user
    rate_limit: { unit: year, requests_per_unit: 2, name: per_user }
  - key: user
    value: ann
    rate_limit: { unit: year, requests_per_unit: 3 }
  - key: path
    value: /files/*
    share_threshold: true
    algorithm: fixed_window
    rate_limit: { unit: year, requests_per_unit: 5 }
  - key: admin
    rate_limit: { unlimited: true, replaces: [{ name: per_user }] }
  - key: trial
    shadow_mode: true
    rate_limit: { unit: year, requests_per_unit: 1 }
  - key: seen
    detailed_metric: true
    rate_limit: { unit: year, requests_per_unit: 1 }
`;

const STORES: [name: string, env: () => Promise<Record<string, string>>][] = [
  ['memory', async () => MEMORY],
  ['redis', async () => ({ REDIS_URL: await redisUrl() })],
];

async function redisUrl(): Promise<string> {
  const redis = await freshRedis();
  onTestFinished(() => redis.close());
  return redis.url;
}

const metricsOf = async ({ page }: RunningRules): Promise<string> => (await page('/metrics')).text;

describe.each(STORES)('on %s', (_, env) => {
  test('a descriptor passes as often as its rule allows, then the call is a 429 with our body and the time to wait', async () => {
    const { ask } = await runningRules(RULES, await env());
    const first = await ask('user=bob');
    expect(first).toMatchObject({ code: CODE.OK, headers: {}, body: '', metadata: { decision: 'allowed' } });
    expect(first.statuses).toMatchObject([
      { code: CODE.OK, current_limit: { requests_per_unit: 2, unit: 6, name: 'per_user' }, limit_remaining: 1 },
    ]);
    await ask('user=bob');
    const denied = await ask('user=bob');
    expect(denied).toMatchObject({ code: CODE.OVER_LIMIT, metadata: { decision: 'limited' } });
    const retryAfter = Number(denied.headers['Retry-After']);
    expect(Math.abs(retryAfter - 31_536_000 / 2)).toBeLessThan(120);
    expect(denied.headers).toEqual({ 'content-type': 'application/json', 'Retry-After': String(retryAfter) });
    expect(JSON.parse(denied.body)).toMatchObject({
      error: {
        code: 'rate_limit_exceeded',
        details: { limit_type: 'year', limit_name: 'per_user', limit: 2, remaining: 0, retry_after: retryAfter },
      },
      request_id: 'stream-1',
    });
    expect((await ask('user=carl')).code, 'another value').toBe(CODE.OK);
  });

  test('every descriptor of a call counts, and their statuses stand in its order', async () => {
    const { ask } = await runningRules(RULES, await env());
    await ask('user=bob');
    await ask('user=bob');
    const both = await ask('user=bob', 'nothing=x', 'user=ann', 'admin=1');
    expect(both.statuses).toMatchObject([{}, { code: CODE.OK }, { code: CODE.OK }, { code: CODE.OK }]);
    expect(both).toMatchObject({ code: CODE.OK }); // bob is replaced by admin's rule
    const again = await ask('user=bob', 'nothing=x', 'user=ann');
    expect(again.code).toBe(CODE.OVER_LIMIT);
    expect(again.statuses).toMatchObject([{ code: CODE.OVER_LIMIT }, { code: CODE.OK }, { code: CODE.OK, limit_remaining: 1 }]);
  });

  test('unlimited, shadow mode and no rule pass, each as envoyproxy/ratelimit tells it', async () => {
    const { ask } = await runningRules(RULES, await env());
    expect(await ask('admin=1')).toMatchObject({ code: CODE.OK, metadata: { decision: 'unlimited' } });
    expect((await ask('admin=1')).statuses).toEqual([{ code: CODE.OK, limit_remaining: MAX_UINT32 }]);
    expect((await ask('user=x more=y')).statuses).toEqual([{ code: CODE.OK }]);
    await ask('trial=1');
    expect(await ask('trial=1')).toMatchObject({
      code: CODE.OK,
      statuses: [{ code: CODE.OK, current_limit: { requests_per_unit: 1 } }],
      metadata: { decision: 'allowed' },
    });
  });

  test('a fixed window counts costs as envoyproxy/ratelimit does, and all values of a shared threshold together', async () => {
    const { client } = await runningRules(RULES, await env());
    const take = async (value: string, cost: number) =>
      client.ask({ domain: 'shop', descriptors: [{ entries: [{ key: 'path', value }], hits_addend: { value: cost } }] });
    const look = await take('/files/a', 0);
    expect(look).toMatchObject({ code: CODE.OK, statuses: [{ limit_remaining: 5 }] });
    const yearLeft = 31_536_000 - (Math.floor(Date.now() / 1000) % 31_536_000);
    const { duration_until_reset: left } = look.statuses[0] as { duration_until_reset: { seconds: number } };
    expect(Math.abs(left.seconds - yearLeft)).toBeLessThan(60);
    expect((await take('/files/a', 3)).code).toBe(CODE.OK);
    expect(await take('/files/b', 3)).toMatchObject({ code: CODE.OVER_LIMIT, statuses: [{}] });
    expect((await take('/files/b', 1)).code).toBe(CODE.OVER_LIMIT);
    expect((await take('/files/b', 0)).code).toBe(CODE.OVER_LIMIT);
  });

  test('a limit and a cost that the call brings along are used', async () => {
    const { client } = await runningRules(RULES, await env());
    const limit = { requests_per_unit: 10, unit: UNIT.HOUR };
    const ask = (hits: number) =>
      client.ask({ domain: 'shop', descriptors: [{ entries: entriesOf('any=thing'), limit }], hits_addend: hits });
    expect((await ask(4)).statuses).toMatchObject([
      { current_limit: { requests_per_unit: 10, unit: UNIT.HOUR }, limit_remaining: 6 },
    ]);
    expect((await ask(0)).statuses, 'an unset cost is 1').toMatchObject([{ limit_remaining: 5 }]);
    expect((await ask(6)).code).toBe(CODE.OVER_LIMIT);
  });
});

test('what Redis keeps of a descriptor is short, has its own tag and shows no value', async () => {
  const url = await redisUrl();
  const { ask } = await runningRules(RULES, { REDIS_URL: url });
  await ask('user=hunter2}{', 'path=/files/hunter2', `user=${'long'.repeat(10_000)}`);
  const redis = new Redis(url);
  onTestFinished(() => redis.disconnect());
  const keys = await redis.keys('*rule*');
  expect(keys).toHaveLength(3);
  for (const key of keys) expect(key).toMatch(/^tg:\{rule:[\w-]{22}\}:(year|window:year)$/);
});

test('new rules are in force without a restart; bad ones are told, and the last good ones stay', async () => {
  const limiter = await runningRules(RULES, MEMORY);
  const { ask, write, page } = limiter;
  const limitOf = async () =>
    ((await ask('user=zoe')).statuses[0] as { current_limit?: { requests_per_unit: number } }).current_limit;
  await write(RULES.replace('requests_per_unit: 2,', 'requests_per_unit: 1000,'));
  await until(async () => (await limitOf())?.requests_per_unit === 1000);
  await write(RULES.replace('unit: year', 'unit: fortnight'));
  await until(async () => (await metricsOf(limiter)).match(/config_reloads_total\{result="refused".*\} 1$/m) !== null);
  expect(await limitOf()).toMatchObject({ requests_per_unit: 1000 });
  const ready = await page('/health/ready');
  expect(ready.status).toBe(200);
  expect(JSON.parse(ready.text)).toMatchObject({
    components: { rules: { status: 'degraded', detail: expect.stringMatching(/rules\.yaml:5: unit must be one of/) } },
  });
  expect(await metricsOf(limiter)).toMatch(/^tollgate_ratelimit_config_reloads_total\{result="loaded".*\} 1$/m);
});

test('without a database it says what it serves, and a call for an organization fails instead of passing uncounted', async () => {
  const limiter = await runningRules(RULES, MEMORY);
  const ready = JSON.parse((await limiter.page('/health/ready')).text) as { components: object };
  expect(ready.components).toEqual({ store: { status: 'ok' }, rules: { status: 'ok', detail: 'rules: 6, domains: 1' } });
  expect(await metricsOf(limiter)).toMatch(/^tollgate_ratelimit_rules\{.*\} 6$/m);
  const organization = { descriptors: [descriptorOf('33333333-3333-4333-8333-333333333333')] };
  await expect(limiter.client.ask(organization)).rejects.toMatchObject({ code: status.UNAVAILABLE });
  const elsewhere = await limiter.client.ask({ domain: 'elsewhere', descriptors: [{ entries: entriesOf('a=b') }] });
  expect(elsewhere).toMatchObject({ code: CODE.OK, metadata: { decision: 'unlimited' } });
});

test('metrics name rules by what is configured, and values only where that is asked for, up to a bound', async () => {
  const limiter = await runningRules(RULES, MEMORY);
  const { ask, client } = limiter;
  for (let i = 0; i < 3; i++) await ask('user=bob', 'trial=1', 'none=1', 'admin=1');
  for (let i = 0; i < 12; i++) {
    const descriptors = Array.from({ length: 100 }, (_, n) => ({ entries: [{ key: 'seen', value: `visitor-${i}-${n}` }] }));
    await client.ask({ domain: 'shop', descriptors });
  }
  const text = await metricsOf(limiter);
  const count = (rule: string, result: string) =>
    Number(text.match(new RegExp(`rule_decisions_total\\{rule="${rule}",result="${result}".*\\} (\\d+)$`, 'm'))?.[1]);
  expect(count('shop\\.trial', 'within_limit')).toBe(1);
  expect(count('shop\\.trial', 'shadow_over_limit')).toBe(2);
  expect(count('shop\\.admin', 'unlimited')).toBe(3);
  expect(count('none', 'unlimited')).toBe(6); // none=1, and user=bob, which admin's rule replaces
  expect(count('shop\\.seen_visitor-0-0', 'within_limit')).toBe(1);
  expect(text.match(/rule="shop\.seen_visitor-\d+-\d+",result="within_limit"/g)).toHaveLength(1_000);
  expect(count('shop\\.seen', 'within_limit')).toBe(200);
  expect(text).not.toContain('bob');
});

test('without Redis the rules go on with a local share, and the answer says so', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.close());
  const { ask } = await runningRules(RULES, { REDIS_URL: redis.url, RATELIMIT_STORE_TIMEOUT: '100ms' });
  await until(async () => (await ask('user=warm')).headers['X-RateLimit-Degraded'] === undefined);
  await redis.kill();
  const answers = [await ask('user=bob'), await ask('user=bob'), await ask('user=bob')];
  expect(answers.map(({ code }) => code)).toEqual([CODE.OK, CODE.OK, CODE.OVER_LIMIT]);
  expect(answers.every(({ headers }) => headers['X-RateLimit-Degraded'] === 'true')).toBe(true);
});

test('a senseless call is INVALID_ARGUMENT', async () => {
  const { client } = await runningRules(RULES, MEMORY);
  const entries = entriesOf('user=bob');
  for (const descriptors of [
    [],
    [{ entries, limit: { requests_per_unit: 1, unit: 0 } }],
    [{ entries, hits_addend: { value: 1_000_000_001 } }],
    Array.from({ length: 101 }, () => ({ entries })),
  ]) {
    await expect(client.ask({ domain: 'shop', descriptors })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  }
});

test('a start with bad rules tells every mistake with its file and line', async () => {
  const running = runningRules('domain: tollgate\ndescriptors:\n  - key: ""\n', MEMORY);
  await expect(running).rejects.toMatchObject({
    exitCode: 78,
    problems: [
      expect.stringMatching(/rules\.yaml:1: the domain tollgate/),
      expect.stringMatching(/rules\.yaml:3: the descriptor needs a key/),
    ],
  });
  const missing = readConfig({ RATELIMIT_CONFIG: '/nonexistent/rules', ...MEMORY, ADMIN_LISTEN: '127.0.0.1:0' });
  await expect(startRateLimitService(missing)).rejects.toThrow(SettingsError);
});

test('with a database both are served side by side, and no rule reaches an organization’s counters', async () => {
  const world = await anOrganization({ perMinute: 1, burst: 2 });
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-rules-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'rules.yaml'), RULES);
  const limiter = await runningRateLimit(world, { ...MEMORY, RATELIMIT_CONFIG: folder });
  const ask = () =>
    limiter.client.ask({ domain: 'shop', descriptors: [{ entries: entriesOf(`user=${world.organization.id}`) }] });
  expect([(await ask()).code, (await ask()).code, (await ask()).code]).toEqual([CODE.OK, CODE.OK, CODE.OVER_LIMIT]);
  expect((await limiter.take()).headers['X-RateLimit-Remaining-Minute']).toBe('1');
});

import { startRedis } from '@tollgate/testing/redis';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { startGateway } from './gateway.js';
import type { Answer } from './http-client.js';
import { operate } from './operator.js';

const LIMITS = { perMinute: 2, burst: 8, perDay: 1_000 };
const BURST_OF_REQUESTS = 40;

/** What callers get while Redis is gone: the answers that a limiter gave without its store. */
async function withoutRedis(storeDown: string, more: Record<string, string> = {}): Promise<Answer[]> {
  const redis = await startRedis();
  onTestFinished(() => redis.close());
  const env = { REDIS_URL: redis.url, RATELIMIT_STORE_TIMEOUT: '40ms', RATELIMIT_STORE_DOWN: storeDown, ...more };
  const gateway = await startGateway({ env });
  onTestFinished(() => gateway.close());
  const operator = operate(gateway);
  onTestFinished(() => operator.close());
  const organizationId = await operator.createOrganization('basic');
  await operator.setLimits(organizationId, LIMITS);
  const { secret } = await operator.createKey(organizationId);
  const ask = () => gateway.ask('/x', { headers: { 'x-api-key': secret } });

  await until(async () => (await ask()).headers['x-ratelimit-limit-minute'] === '2');
  await redis.kill();
  const degraded: Answer[] = [];
  while (degraded.length < BURST_OF_REQUESTS) {
    const answers = await Promise.all(Array.from({ length: 10 }, ask));
    // A busy machine may have Envoy wait no longer for the limiter: such a request passes without a mark.
    degraded.push(...answers.filter(({ headers }) => headers['x-ratelimit-degraded'] === 'true'));
  }
  await redis.start();
  const isBack = ({ headers }: Answer) =>
    headers['x-ratelimit-limit-minute'] !== undefined && headers['x-ratelimit-degraded'] === undefined;
  await until(async () => isBack(await ask()), 15_000, 'the return of Redis');
  return degraded;
}

test('RATELIMIT_STORE_DOWN=local: this instance’s share of each limit passes, the rest is told to wait', async () => {
  const answers = await withoutRedis('local', { RATELIMIT_INSTANCES: '2' });
  const passed = answers.filter(({ status }) => status === 200);
  const denied = answers.filter(({ status }) => status === 429);
  expect(passed.length + denied.length).toBe(answers.length);
  // A share of 8 is 4, and one request comes back in a minute.
  expect(passed.length).toBeLessThanOrEqual(5);
  expect(denied[0]?.headers).toMatchObject({ 'x-ratelimit-limit-minute': '2', 'x-ratelimit-remaining-minute': '0' });
  expect(Number(denied.at(-1)?.headers['retry-after'])).toBeGreaterThan(1);
});

test('RATELIMIT_STORE_DOWN=allow: everything passes, as if nothing had been used', async () => {
  const answers = await withoutRedis('allow');
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(answers[0]?.headers).toMatchObject({ 'x-ratelimit-remaining-minute': '8', 'x-ratelimit-remaining-day': '1000' });
});

test('RATELIMIT_STORE_DOWN=deny: nothing passes, and everybody is told to come back in a second', async () => {
  const answers = await withoutRedis('deny');
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([429]));
  const [denied] = answers;
  expect(denied?.headers).toMatchObject({ 'retry-after': '1', 'content-type': 'application/json' });
  expect(JSON.parse(denied?.body ?? '')).toMatchObject({
    error: { code: 'rate_limit_exceeded', details: { limit_type: 'minute', remaining: 0, retry_after: 1 } },
  });
});

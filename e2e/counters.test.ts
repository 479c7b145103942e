import { startRedis } from '@tollgate/testing/redis';
import { until } from '@tollgate/testing/until';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startGateway } from './gateway.js';
import { operate } from './operator.js';

interface Counters {
  limits: { name: string; remaining: number }[];
}

async function startWithout(): Promise<Record<string, string>> {
  return {};
}
async function startWithRedis(): Promise<Record<string, string>> {
  const redis = await startRedis();
  onTestFinished(() => redis.close());
  return { REDIS_URL: redis.url, RATELIMIT_STORE_TIMEOUT: '40ms' };
}

describe.each([
  ['in its own process', startWithout],
  ['in Redis', startWithRedis],
])('a gateway that counts %s', (_, settings) => {
  test('commands in its folder read, explain and reset what it counts, without further settings', async () => {
    const gateway = await startGateway({ env: await settings() });
    onTestFinished(() => gateway.close());
    const operator = operate(gateway);
    onTestFinished(() => operator.close());
    const organizationId = await operator.createOrganization('basic');
    await operator.setLimits(organizationId, { perMinute: 1, burst: 3 });
    const { keyId, secret } = await operator.createKey(organizationId);
    const ask = () => gateway.ask('/x', { headers: { 'x-api-key': secret } });
    const explain = () => operator.tollgate('counters', 'explain', keyId);

    expect(await explain()).toMatchObject({ next_request: { decision: 'allowed' } });
    const denied = await until(async () => {
      const answer = await ask();
      return answer.status === 429 && answer;
    });
    const { limits } = (await operator.tollgate('counters', 'get', organizationId)) as Counters;
    expect(limits).toMatchObject([
      { name: 'minute', remaining: 0 },
      { name: 'day', remaining: Number(denied.headers['x-ratelimit-remaining-day']) },
    ]);
    expect(await explain()).toMatchObject({
      authorization: { allowed: true },
      next_request: { decision: 'limited', status: 429, code: 'rate_limit_exceeded', limit: 'minute' },
    });
    expect((await ask()).status).toBe(429);

    await operator.tollgate('counters', 'reset', organizationId);
    expect((await ask()).status).toBe(200);
    const [entry] = (await operator.tollgate('org', 'history', organizationId, '--limit', '1')) as object[];
    expect(entry).toMatchObject({ action: 'counters.reset' });
  });
});

test('without the token of the gateway file nobody resets, and no page of a browser does', async () => {
  const gateway = await startGateway();
  onTestFinished(() => gateway.close());
  const file = await gateway.gatewayFile();
  const url = `${file?.services['ratelimit']}/counters/reset`;
  const body = JSON.stringify({ organization_id: gateway.organizationId, limit_ids: ['organization:minute'] });
  const status = async (headers: Record<string, string>) => (await fetch(url, { method: 'POST', headers, body })).status;
  const json = { 'content-type': 'application/json' };
  expect(await status({})).toBe(401);
  expect(await status({ ...json, 'x-tollgate-admin': '1' })).toBe(401);
  expect(await status({ ...json, authorization: `Bearer ${file?.adminToken}` })).toBe(200);
});

import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { envoyWithRules } from './envoy-with-rules.js';
import { runningRules } from './running-rules.js';

const RULES = `
domain: shop
descriptors:
  - key: user
    rate_limit: { unit: year, requests_per_unit: 3, name: per_user }
  - key: path
    value: /orders/*
    descriptors:
      - key: method
        value: write
        rate_limit: { unit: hour, requests_per_unit: 1 }
  - key: tokens
    value: "*"
    share_threshold: true
    rate_limit: { unit: year, requests_per_unit: 100 }
`;

test('a real Envoy with its own domain and actions is limited by the rules: descriptors, costs, headers, body, reload', async () => {
  const limiter = await runningRules(RULES, { RATELIMIT_STORE: 'memory' });
  const envoy = await envoyWithRules(limiter.address);
  onTestFinished(() => envoy.close());
  const ask = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    const response = await fetch(`${envoy.url}${path}`, { method, headers, keepalive: false });
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
  const statuses = async (count: number, send: () => ReturnType<typeof ask>): Promise<number[]> => {
    const all: number[] = [];
    for (let i = 0; i < count; i++) all.push((await send()).status);
    return all;
  };

  expect(await statuses(3, () => ask('/', { 'x-user': 'ann' }))).toEqual([200, 200, 200]);
  const denied = await ask('/', { 'x-user': 'ann' });
  expect(denied.status).toBe(429);
  expect(denied.headers.get('content-type')).toBe('application/json');
  expect(JSON.parse(denied.body)).toMatchObject({
    error: { code: 'rate_limit_exceeded', details: { limit_type: 'year', limit_name: 'per_user', limit: 3 } },
  });
  const retryAfter = Number(denied.headers.get('retry-after'));
  expect(Math.abs(retryAfter - 31_536_000 / 3)).toBeLessThan(120);
  // Envoy's own headers, made of our statuses.
  expect(denied.headers.get('x-ratelimit-limit')).toMatch(/^3, 3;w=31536000;name="per_user"$/);
  expect(denied.headers.get('x-ratelimit-remaining')).toBe('0');
  expect((await ask('/', { 'x-user': 'bob' })).status).toBe(200);
  expect((await ask('/')).status, 'no descriptor, no call').toBe(200);

  expect(await statuses(2, () => ask('/orders/7', {}, 'POST'))).toEqual([200, 429]);
  expect(await statuses(2, () => ask('/orders/7')), 'a descriptor that is less deep').toEqual([200, 200]);
  expect((await ask('/orders/8', {}, 'POST')).status).toBe(200);

  expect(await statuses(2, () => ask('/', { 'x-tokens': '60' }))).toEqual([200, 429]);
  expect((await ask('/', { 'x-tokens': '40' })).status, 'what is left').toBe(200);

  await limiter.write(RULES.replace('requests_per_unit: 3,', 'requests_per_unit: 0,'));
  await until(async () => (await ask('/', { 'x-user': `new-${Date.now()}` })).status === 429);
});

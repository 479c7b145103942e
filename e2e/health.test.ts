import { VERSION } from '@tollgate/service-kit/version';
import { until } from '@tollgate/testing/until';
import { beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from './gateway.js';

let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway();
  return () => gateway.close();
});

const askWithoutKey = (path: string) => gateway.ask(path, { headers: {} });

test.each(['/health', '/health/live', '/health/ready', '/health?x=1', '/health/ready?x=1'])(
  '%s answers without a key',
  async (path) => {
    const { status, headers, body } = await askWithoutKey(path);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('application/json');
    expect(JSON.parse(body)).toEqual({
      status: 'ok',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      version: VERSION,
    });
  },
);

test('what only looks like a health path needs a key', async () => {
  for (const path of ['/health/', '/health/x', '/healthz', '/health/ready/', '/HEALTH']) {
    expect((await askWithoutKey(path)).status).toBe(401);
  }
});

test('each service tells its own health, its parts and its uptime on its admin port', async () => {
  const { services } = (await gateway.gatewayFile()) ?? { services: {} };
  expect(new Set(Object.keys(services))).toEqual(new Set(['authz', 'ratelimit', 'collector', 'writer', 'reconciler']));
  for (const url of Object.values(services)) {
    const response = await fetch(`${url}/health/ready`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: 'ok', version: VERSION, uptime_seconds: expect.any(Number) });
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^tollgate_build_info\{/m);
  }
});

test('a gateway whose services are gone says that it is alive and not ready, and lets nobody in', async () => {
  await gateway.kill();
  const ready = await until(
    async () => {
      const answer = await askWithoutKey('/health/ready');
      return answer.status !== 200 && answer;
    },
    10_000,
    'not being ready',
  );
  expect(ready.status).toBe(503);
  expect(JSON.parse(ready.body)).toMatchObject({ status: 'unavailable', version: VERSION });
  expect((await askWithoutKey('/health/live')).status).toBe(200);
  const answer = await gateway.ask('/x');
  expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([503, 'authorization_unavailable']);
  expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
});

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AdminServer, type AdminServerOptions, startAdminServer } from '@tollgate/service-kit/admin-server';
import { createMetrics } from '@tollgate/service-kit/metrics';
import { afterEach, expect, test } from 'vitest';
import { CANARY_KEY, CANARY_URL, hasCanary } from './canaries.js';
import { capturedLog } from './captured-log.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(changes: Partial<AdminServerOptions> = {}): Promise<AdminServer> {
  const server = await startAdminServer({
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    metrics: createMetrics('authz'),
    version: '1.2.3',
    components: async () => ({ database: { status: 'ok' } }),
    isReady: () => true,
    log: capturedLog().log,
    ...changes,
  });
  cleanups.push(() => server.close());
  return server;
}

const get = (server: AdminServer, path: string, init: RequestInit = {}) => fetch(`http://${server.address}${path}`, init);

test.each(['/health', '/health/live', '/health?from=probe'])('%s says that the process lives', async (path) => {
  const response = await get(await serve({ isReady: () => false }), path);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(await response.json()).toEqual({
    status: 'ok',
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    version: '1.2.3',
    uptime_seconds: expect.any(Number),
  });
});

test.each<[string, boolean, Awaited<ReturnType<AdminServerOptions['components']>>, number, string]>([
  ['all is well', true, { database: { status: 'ok' } }, 200, 'ok'],
  ['a part is degraded', true, { database: { status: 'degraded', detail: 'polling' } }, 200, 'degraded'],
  ['a part is down', true, { database: { status: 'down' }, redis: { status: 'ok' } }, 503, 'unavailable'],
  ['it is closing', false, { database: { status: 'ok' } }, 503, 'unavailable'],
])('ready where %s', async (_name, isReady, components, code, status) => {
  const response = await get(await serve({ isReady: () => isReady, components: async () => components }), '/health/ready');
  expect(response.status).toBe(code);
  expect(await response.json()).toMatchObject({ status, components });
});

test('a check that fails is not ready, and its message shows no secret', async () => {
  const components = () => Promise.reject(new Error(`cannot reach ${CANARY_URL} as ${CANARY_KEY}`));
  const response = await get(await serve({ components }), '/health/ready');
  expect(response.status).toBe(503);
  const body = await response.text();
  expect(body).toContain('cannot reach');
  expect(hasCanary(body)).toBe(false);
});

test('a check that hangs is not ready after its deadline, and many probes ask it once', async () => {
  let asked = 0;
  const components = () => {
    asked++;
    return new Promise<never>(() => {});
  };
  const server = await serve({ components });
  const responses = await Promise.all(Array.from({ length: 20 }, () => get(server, '/health/ready')));
  expect(new Set(responses.map((response) => response.status))).toEqual(new Set([503]));
  expect(await responses[0]?.json()).toMatchObject({ components: { check: { status: 'down' } } });
  expect((await get(server, '/health/ready')).status).toBe(503);
  expect(asked).toBe(1);
});

test('the metrics are on /metrics', async () => {
  const response = await get(await serve(), '/metrics');
  expect(response.headers.get('content-type')).toContain('text/plain');
  expect(await response.text()).toContain('tollgate_build_info');
});

test('HEAD is answered as GET without its body', async () => {
  const response = await get(await serve(), '/health', { method: 'HEAD' });
  expect(response.status).toBe(200);
  expect(Number(response.headers.get('content-length'))).toBeGreaterThan(0);
  expect(await response.text()).toBe('');
});

test('another path is 404 and another method 405, in the shape of all errors', async () => {
  const server = await serve();
  const [missing, wrong] = [await get(server, '/nothing'), await get(server, '/health', { method: 'POST', body: 'x' })];
  expect([missing.status, wrong.status, wrong.headers.get('allow')]).toEqual([404, 405, 'GET, HEAD']);
  const shape = { timestamp: expect.any(String), request_id: null };
  expect(await missing.json()).toEqual({ error: { code: 'route_not_found', message: expect.any(String) }, ...shape });
  expect(await wrong.json()).toEqual({ error: { code: 'method_not_allowed', message: expect.any(String) }, ...shape });
});

test('metrics that fail are a 500 without a word about why', async () => {
  const metrics = { ...createMetrics('authz'), text: () => Promise.reject(new Error('secret inside')) };
  const response = await get(await serve({ metrics }), '/metrics');
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain('secret inside');
});

test('a unix socket is served and removed at closing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-admin-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'admin.sock');
  const server = await serve({ listen: { kind: 'unix', path } });
  expect(server.address).toBe(`unix:${path}`);
  const code = await new Promise((resolve, reject) => {
    request({ socketPath: path, path: '/health', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
  expect(code).toBe(200);
  await server.close();
  expect(existsSync(path)).toBe(false);
});

test('a port that is taken is an error', async () => {
  const { address } = await serve();
  await expect(serve({ listen: { kind: 'tcp', host: '127.0.0.1', port: Number(address.split(':')[1]) } })).rejects.toThrow(
    'EADDRINUSE',
  );
});

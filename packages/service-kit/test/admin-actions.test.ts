import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AdminServerOptions, startAdminServer } from '@tollgate/service-kit/admin-server';
import { createMetrics } from '@tollgate/service-kit/metrics';
import { expect, onTestFinished, test } from 'vitest';
import { capturedLog } from './captured-log.js';

const TOKEN = 'a-token-of-at-least-thirty-two-characters';
const RIGHT = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };

/** An admin port with one action, which says what it was given, and how often it ran. */
async function serving(listen: AdminServerOptions['listen'] = { kind: 'tcp', host: '127.0.0.1', port: 0 }) {
  const ran: unknown[] = [];
  const run = async (body: unknown) => {
    ran.push(body);
    return { status: 200, body: { given: body } };
  };
  const server = await startAdminServer({
    listen,
    metrics: createMetrics('ratelimit'),
    version: '1.2.3',
    components: async () => ({}),
    isReady: () => true,
    log: capturedLog().log,
    actions: { token: TOKEN, byPath: new Map([['/things/reset', run]]) },
  });
  onTestFinished(() => server.close());
  const port = server.address.split(':').at(-1);
  const ask = (init: RequestInit) => fetch(`http://127.0.0.1:${port}/things/reset`, { method: 'POST', ...init });
  return { ran, ask };
}

test('an action runs for a POST of JSON with the token', async () => {
  const { ran, ask } = await serving();
  const response = await ask({ headers: RIGHT, body: '{"of":["a"]}' });
  expect([response.status, await response.json(), ran]).toEqual([200, { given: { of: ['a'] } }, [{ of: ['a'] }]]);
});

test.each<[string, number, RequestInit]>([
  ['no token', 401, { headers: { 'content-type': 'application/json' }, body: '{}' }],
  ['another token', 401, { headers: { ...RIGHT, authorization: `Bearer ${TOKEN}x` }, body: '{}' }],
  ['the token as a basic password', 401, { headers: { ...RIGHT, authorization: `Basic ${TOKEN}` }, body: '{}' }],
  ['a form, as any page may send', 415, { headers: { ...RIGHT, 'content-type': 'text/plain' }, body: '{}' }],
  ['a GET, as any link may', 405, { headers: RIGHT, method: 'GET' }],
  ['what is no JSON', 400, { headers: RIGHT, body: '{' }],
  ['a body beyond all bounds', 413, { headers: RIGHT, body: ' '.repeat(1_000_000) }],
])('%s is refused with %i, and nothing runs', async (_, status, init) => {
  const { ran, ask } = await serving();
  expect([(await ask(init)).status, ran]).toEqual([status, []]);
});

test('a page that has its own name lead to loopback gets no further than one of another origin', async () => {
  const { ran, ask } = await serving();
  const preflight = await ask({ method: 'OPTIONS', headers: { origin: 'http://evil.example' } });
  expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([405, null]);
  expect(ran).toEqual([]);
});

test('where others may listen, there are no actions, whatever is sent', async () => {
  const { ran, ask } = await serving({ kind: 'tcp', host: '0.0.0.0', port: 0 });
  expect([(await ask({ headers: RIGHT, body: '{}' })).status, ran]).toEqual([404, []]);
});

test('a unix socket serves them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { ran } = await serving({ kind: 'unix', path: join(folder, 'admin.sock') });
  const status = await new Promise((resolve, reject) => {
    const options = { socketPath: join(folder, 'admin.sock'), path: '/things/reset', method: 'POST', headers: RIGHT };
    request(options, (response) => resolve(response.resume().statusCode))
      .on('error', reject)
      .end('{}');
  });
  expect([status, ran]).toEqual([200, [{}]]);
});

import type { ServerResponse } from 'node:http';
import { request as httpRequest } from 'node:http';
import { generateApiKey } from '@tollgate/domain/api-key';
import { until } from '@tollgate/testing/until';
import { beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from './gateway.js';
import { ask } from './http-client.js';
import { type Key, type Operator, operate, type StoredEvent } from './operator.js';
import { startUpstream, type Upstream } from './upstream.js';

/** Promised: from the last answer to the last row. */
const STORED_DEADLINE_MS = 5_000;
const AT_ONCE = 16;
const BODY = 'x'.repeat(512);
const SENT = 'y'.repeat(1_000);

let gateway: Gateway;
let upstream: Upstream;
let operator: Operator;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ env: { UPSTREAM_URL: upstream.url, UPSTREAM_TIMEOUT: '1s' } });
  operator = operate(gateway);
  return async () => {
    await operator.close();
    await gateway.close();
    await upstream.close();
  };
});

/** What one group of requests should leave behind, each of them. */
interface Expected {
  billable: boolean;
  status: number;
  origin: 'upstream' | 'gateway';
  units?: number;
  requestBytes?: number;
  responseBytes?: number;
  environment?: 'test';
}

interface Group extends Expected {
  path: string;
  requests: number;
  /** A GET with the live key by default. */
  send?: (path: string) => Promise<unknown>;
}

const upstreamSays =
  (status: number, headers: Record<string, string> = {}, body = BODY) =>
  (_request: unknown, response: ServerResponse): void => {
    response.writeHead(status, headers).end(body);
  };

/** Leaves when the upstream has the request, or when the first bytes of its answer have arrived. */
function leave(path: string, secret: string, when: 'before-answer' | 'in-answer'): Promise<void> {
  return new Promise((resolve) => {
    const request = httpRequest(`${gateway.gatewayUrl}${path}`, { headers: { 'x-api-key': secret }, agent: false });
    request.on('error', () => {});
    request.on('close', resolve);
    if (when === 'before-answer') {
      // Each request has a path of its own, by its query.
      const mine = path.slice(path.indexOf('?'));
      void until(() => upstream.received.some((received) => received.path.endsWith(mine))).then(() => request.destroy());
    } else {
      request.on('response', (response) => {
        response.on('error', () => {});
        response.once('data', () => request.destroy());
      });
    }
    request.end();
  });
}

test('of 1,000 requests of every kind exactly those are counted that had an organization, and billed that count', async () => {
  const live = await operator.newcomer('enterprise');
  const testing = await operator.createKey(live.organizationId, { environment: 'test' });
  const limited = await operator.newcomer('basic');
  await operator.setLimits(limited.organizationId, { perMinute: 1, burst: 10 });
  const withKey =
    (key: Key, more: { method?: string; body?: string } = {}) =>
    (path: string) =>
      gateway.ask(path, { headers: { 'x-api-key': key.secret }, ...more });

  upstream.on('/ok', upstreamSays(200));
  upstream.on('/test-key', upstreamSays(200));
  upstream.on('/head', upstreamSays(200, { 'content-length': '512' }));
  upstream.on('/post', upstreamSays(201));
  upstream.on('/not-found', upstreamSays(404));
  upstream.on('/broken', upstreamSays(500, { 'x-usage-units': '5' }));
  upstream.on('/not-modified', (_request, response) => response.writeHead(304, { etag: '"1"' }).end());
  upstream.on('/units-7', upstreamSays(200, { 'x-usage-units': '7' }));
  upstream.on('/units-0', upstreamSays(200, { 'x-usage-units': '0' }));
  upstream.on('/units-bad', upstreamSays(200, { 'x-usage-units': 'many' }));
  upstream.on('/hangs-up', (request) => request.socket.destroy());
  upstream.on('/slow', () => {});
  upstream.on('/left-before', () => {});
  upstream.on('/left-after', (_request, response) => {
    response.writeHead(200).write(BODY);
  });
  upstream.on('/cut', (_request, response) => {
    response.writeHead(200, { 'content-length': '9999' }).write(BODY, () => setImmediate(() => response.destroy()));
  });

  const fromUpstream = { origin: 'upstream', status: 200, billable: true } as const;
  const fromGateway = { origin: 'gateway', billable: false } as const;
  const groups: Group[] = [
    { path: '/ok', requests: 300, ...fromUpstream, requestBytes: 0, responseBytes: 512 },
    { path: '/test-key', requests: 60, ...fromUpstream, billable: false, environment: 'test', send: withKey(testing) },
    { path: '/head', requests: 40, ...fromUpstream, responseBytes: 0, send: withKey(live, { method: 'HEAD' }) },
    {
      path: '/post',
      requests: 60,
      ...fromUpstream,
      status: 201,
      requestBytes: 1_000,
      send: withKey(live, { method: 'POST', body: SENT }),
    },
    { path: '/not-found', requests: 60, ...fromUpstream, status: 404 },
    { path: '/broken', requests: 60, ...fromUpstream, status: 500, billable: false, units: 5 },
    { path: '/not-modified', requests: 40, ...fromUpstream, status: 304, billable: false, responseBytes: 0 },
    { path: '/units-7', requests: 50, ...fromUpstream, units: 7 },
    { path: '/units-0', requests: 10, ...fromUpstream, units: 0 },
    { path: '/units-bad', requests: 30, ...fromUpstream },
    { path: '/hangs-up', requests: 30, ...fromGateway, status: 503 },
    { path: '/slow', requests: 10, ...fromGateway, status: 504 },
    { path: '/cut', requests: 10, ...fromUpstream, billable: false, send: (path) => withKey(live)(path).catch(() => {}) },
    { path: '/left-before', requests: 20, ...fromGateway, status: 0, send: (path) => leave(path, live.secret, 'before-answer') },
    { path: '/left-after', requests: 20, ...fromUpstream, send: (path) => leave(path, live.secret, 'in-answer') },
  ];
  const nobodys = [
    ...Array.from({ length: 50 }, () => () => ask(`${gateway.gatewayUrl}/nobody`)),
    ...Array.from({ length: 50 }, () => () => gateway.ask('/nobody', { headers: { 'x-api-key': generateApiKey('live') } })),
  ];
  const sends = groups.flatMap(({ path, requests, send = withKey(live) }) =>
    Array.from({ length: requests }, (_, i) => () => send(`${path}?n=${i}-${path}`)),
  );
  // Those of the limited organization one by one: how many of them pass is for the limiter to say.
  const overLimit: number[] = [];
  await inParallel([...shuffled([...sends, ...nobodys])]);
  for (let i = 0; i < 60; i++) overLimit.push((await withKey(limited)('/limited')).status);
  await upstream.stop();
  await inParallel(Array.from({ length: 40 }, () => () => withKey(live)('/dead')));
  groups.push({ path: '/dead', requests: 40, ...fromGateway, status: 503 });
  const total = groups.reduce((sum, { requests }) => sum + requests, overLimit.length + nobodys.length);
  expect(total).toBe(1_000);

  const stored = await until(
    async () => {
      const events = await operator.usage();
      return events.length >= total - nobodys.length && events;
    },
    STORED_DEADLINE_MS,
    'the last row',
  );
  await upstream.start();

  expect(new Set(stored.map(({ event_id }) => event_id)).size).toBe(stored.length);
  expect(new Set(stored.map(({ request_id }) => request_id)).size).toBe(stored.length);
  const ofLive = stored.filter(({ organization_id }) => organization_id === live.organizationId);
  for (const group of groups) expectGroup(ofLive, group);
  expect(ofLive).toHaveLength(total - nobodys.length - overLimit.length);

  const ofLimited = stored.filter(({ organization_id }) => organization_id === limited.organizationId);
  expect(ofLimited.map(({ status_code }) => status_code)).toEqual(overLimit);
  expect(overLimit.filter((status) => status === 429).length).toBeGreaterThan(0);
  for (const event of ofLimited) {
    expect([event.billable, event.origin]).toEqual(event.status_code === 200 ? [true, 'upstream'] : [false, 'gateway']);
  }
  expect(stored).toHaveLength(ofLive.length + ofLimited.length);
  expect(new Set(ofLive.filter(({ path }) => path === '/test-key').map(({ api_key_id }) => api_key_id))).toEqual(
    new Set([testing.keyId]),
  );
  await expectReportsAgree(stored, [live, limited]);
});

function expectGroup(stored: readonly StoredEvent[], { path, requests, send: _, ...wanted }: Group): void {
  const events = stored.filter((event) => event.path === path);
  const seen = new Set(
    events.map(({ status_code, origin, billable, units, environment, request_bytes, response_bytes }) =>
      JSON.stringify({
        status: status_code,
        origin,
        billable,
        units,
        environment,
        ...(wanted.requestBytes === undefined ? {} : { requestBytes: request_bytes }),
        ...(wanted.responseBytes === undefined ? {} : { responseBytes: response_bytes }),
      }),
    ),
  );
  const { status, origin, billable, units = 1, environment = 'live', requestBytes, responseBytes } = wanted;
  const one = JSON.stringify({ status, origin, billable, units, environment, requestBytes, responseBytes });
  expect({ path, requests: events.length, seen: [...seen] }).toEqual({ path, requests, seen: [one] });
  expect(events.every(({ response_time_ms }) => response_time_ms > 0)).toBe(true);
}

/** The hourly table, and what `usage show` prints, hold the sums of the single rows. */
async function expectReportsAgree(stored: readonly StoredEvent[], organizations: readonly Key[]): Promise<void> {
  for (const { organizationId } of organizations) {
    const events = stored.filter(({ organization_id }) => organization_id === organizationId);
    const sum = (of: (event: StoredEvent) => number) => events.reduce((total, event) => total + of(event), 0);
    const raw = {
      requests: events.length,
      billableRequests: sum(({ billable }) => Number(billable)),
      billableUnits: sum(({ billable, units }) => (billable ? units : 0)),
      requestBytes: sum(({ request_bytes }) => request_bytes),
      responseBytes: sum(({ response_bytes }) => response_bytes),
    };
    const hourly = await operator.query<Record<keyof typeof raw, number>>(
      `SELECT sum(requests)::int AS "requests", sum(billable_requests)::int AS "billableRequests",
         sum(billable_units)::int AS "billableUnits", sum(request_bytes)::int AS "requestBytes",
         sum(response_bytes)::int AS "responseBytes" FROM usage_hourly WHERE organization_id = $1`,
      [organizationId],
    );
    expect(hourly).toEqual([raw]);
    const shown = await operator.tollgate('usage', 'show', '--org', organizationId, '--by', 'total');
    expect(shown).toMatchObject([
      {
        requests: raw.requests,
        billable_requests: raw.billableRequests,
        billable_units: raw.billableUnits,
        request_bytes: raw.requestBytes,
        response_bytes: raw.responseBytes,
      },
    ]);
  }
}

async function inParallel(sends: readonly (() => Promise<unknown>)[]): Promise<void> {
  const waiting = [...sends];
  const worker = async () => {
    for (let send = waiting.shift(); send !== undefined; send = waiting.shift()) await send();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Always in the same order, which has all kinds side by side. */
function shuffled<T>(items: readonly T[]): T[] {
  const step = 389;
  return items.map((_, i) => items[(i * step) % items.length] as T);
}

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { createDegradingLimitStore } from '../../src/degrading-limit-store.js';
import { counterActions } from '../../src/http/counter-actions.js';
import { createRemoteCounters } from '../../src/http/remote-counters.js';
import type { LimitStore } from '../../src/limit-store.js';
import { createMemoryLimitStore } from '../../src/memory/memory-limit-store.js';
import { StoreUnavailable } from '../../src/store-unavailable.js';
import { dayQuota, rate, shadow } from '../limit-store-behaves.js';
import { NOON } from '../noon.js';

const LIMITS = [rate(60, 5), shadow(dayQuota(3))];
const ACME = { organizationId: 'acme', limits: LIMITS };

/** The actions over a store in memory behind HTTP, and the client. */
async function served() {
  const memory = createMemoryLimitStore({ now: () => NOON });
  const primary: LimitStore & { isGone: boolean } = {
    ...memory,
    isGone: false,
    take: (request) => (primary.isGone ? Promise.reject(new StoreUnavailable('switched off')) : memory.take(request)),
  };
  const store = createDegradingLimitStore(primary, { mode: 'local', instances: 1 });
  const actions = counterActions(store);
  const server = createServer(async (request, response) => {
    const { status, body } = (await actions.get(request.url ?? '')?.(await json(request))) ?? { status: 404, body: {} };
    response.writeHead(status).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    await store.close();
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { store, primary, url, counters: createRemoteCounters({ url, token: 't' }) };
}

test('a look and a reset from afar are those of the store', async () => {
  const { store, counters } = await served();
  await store.take({ ...ACME, cost: 2 });
  const seen = await counters.look({ ...ACME, cost: 4 });
  expect(seen).toMatchObject({
    isAllowed: false,
    states: [
      { remaining: 3, waitMs: 1_000 },
      { remaining: 1, waitMs: Infinity },
    ],
  });
  expect(await counters.look({ ...ACME, cost: 3 })).toMatchObject({ isAllowed: true });
  await counters.reset('acme', ['minute', 'day']);
  expect(await counters.look({ ...ACME, cost: 0 })).toMatchObject({ states: [{ remaining: 5 }, { remaining: 3 }] });
});

test('while the store does not answer, there is no share to be looked at in its place', async () => {
  const { primary, counters } = await served();
  primary.isGone = true;
  await expect(counters.look({ ...ACME, cost: 1 })).rejects.toBeInstanceOf(StoreUnavailable);
});

test('what is no question is refused in words, and breaks nothing', async () => {
  const { url } = await served();
  const { NaN: nothing } = Number;
  for (const [path, body] of [
    ['/counters/look', null],
    ['/counters/look', { organization_id: 'acme', cost: 1 }],
    ['/counters/look', { organization_id: 'acme', cost: -1, limits: [] }],
    ['/counters/look', { organization_id: 'a}{b', cost: 1, limits: [] }],
    ['/counters/look', { organization_id: 'acme', cost: nothing, limits: [] }],
    ['/counters/look', { organization_id: 'acme', cost: 1, limits: [{ kind: 'rate', id: 'x' }] }],
    ['/counters/look', { organization_id: 'acme', cost: 1, limits: Array(33).fill(LIMITS[0]) }],
    ['/counters/reset', { organization_id: 'acme', limit_ids: [1] }],
    ['/counters/reset', []],
  ] as const) {
    const response = await fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    expect([response.status, await response.json()]).toEqual([
      400,
      { error: { code: 'bad_request', message: expect.any(String) } },
    ]);
  }
});

test('a gateway that is gone is an unavailable store, without its token', async () => {
  const counters = createRemoteCounters({ url: 'http://127.0.0.1:1', token: 'a-secret-token' });
  const failure = await counters.look({ ...ACME, cost: 1 }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(StoreUnavailable);
  expect(String(failure)).not.toContain('a-secret-token');
});

import { connect as http2Connect } from 'node:http2';
import { until } from '@tollgate/testing/until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GOOD_KEY } from './fake-services.js';
import type { Answer } from './live-gateway.js';
import { startWorld, WITH_KEY, type World } from './live-world.js';

let world: World;
let gateway: World['gateway'];
let services: World['services'];

beforeAll(async () => {
  world = await startWorld();
  ({ gateway, services } = world);
});

afterAll(() => world.close());

test('usage: one entry for each request of an organization, with all that an event needs, and none without', async () => {
  await gateway.ask('/v1/units?secret=1', { headers: WITH_KEY });
  const answers = [
    await gateway.ask('/v1/units?secret=1', {
      headers: { ...WITH_KEY, 'content-type': 'application/json' },
      method: 'POST',
      body: 'abc',
    }),
    await gateway.ask('/v1/units'),
    await gateway.ask('/open/x', { headers: WITH_KEY }),
    await gateway.ask('/health'),
    await gateway.ask('/dead', { headers: WITH_KEY }),
  ];
  expect(answers.map(({ headers }) => headers['x-usage-units'])).toEqual(answers.map(() => undefined));
  const entryOf = (answer: Answer | undefined) =>
    services.entries.find(({ commonProperties }) => commonProperties?.streamId === answer?.headers['x-request-id']);
  const dead = await until(() => entryOf(answers[4]), 10_000, 'the last entry');
  expect(dead).toMatchObject({ response: { responseCode: 503 }, commonProperties: { routeName: 'dead' } });
  expect(dead.commonProperties?.timeToFirstUpstreamRxByte).toBeUndefined();
  expect(answers.slice(1, 4).map(entryOf)).toEqual([undefined, undefined, undefined]);
  const posted = entryOf(answers[0]);
  expect(posted).toMatchObject({
    request: { path: '/v1/units?secret=1', requestBodyBytes: 3, requestHeaders: { 'content-type': 'application/json' } },
    response: { responseCode: 200, responseBodyBytes: 10, responseCodeDetails: 'via_upstream' },
  });
  expect(posted?.commonProperties).toMatchObject({
    routeName: 'v1',
    startTime: { seconds: expect.any(Number) },
    duration: expect.anything(),
    timeToFirstUpstreamRxByte: expect.anything(),
    metadata: {
      filterMetadata: {
        'envoy.filters.http.ext_authz': { organization_id: 'org-1', key_id: 'key-1', environment: 'live' },
        'envoy.filters.http.ratelimit': { decision: 'allowed' },
        tollgate: { units: '42' },
      },
    },
  });
  expect(JSON.stringify(services.entries)).not.toContain(GOOD_KEY);
});

test('usage of a gRPC call carries its grpc-status, from the trailers, and errors of Envoy are no JSON there', async () => {
  const answer = await grpcCall(gateway.port, '/test.Echo/Say', WITH_KEY);
  expect(answer).toMatchObject({ body: 'hi', trailers: { 'grpc-status': '5' } });
  const entry = await until(
    () => services.entries.find(({ request }) => request?.path === '/test.Echo/Say'),
    10_000,
    'the entry',
  );
  expect(entry.request?.requestHeaders['content-type']).toBe('application/grpc');
  expect(entry.response?.responseTrailers['grpc-status']).toBe('5');
  const noRoute = await grpcCall(gateway.port, '/none.Such/Call', WITH_KEY);
  expect(noRoute.headers).toMatchObject({ 'grpc-status': '12' });
  expect(String(noRoute.headers['grpc-message'] ?? '')).not.toContain('{');
});

async function grpcCall(port: number, path: string, headers: Record<string, string>) {
  const session = http2Connect(`http://127.0.0.1:${port}`);
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    const answer = { headers: {} as Record<string, unknown>, trailers: {} as Record<string, unknown>, body: '' };
    stream.on('response', (received) => Object.assign(answer.headers, received));
    stream.on('trailers', (received) => Object.assign(answer.trailers, received));
    stream.end();
    for await (const chunk of stream) answer.body += String(chunk);
    return answer;
  } finally {
    session.destroy();
  }
}

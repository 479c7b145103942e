import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import type { CheckResponse } from '@tollgate/protos/envoy/service/auth/v3/external_auth';
import { until } from '@tollgate/testing/until';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { allowGoodKey, cannotDecide, type FakeServices, GOOD_KEY, overLimit, startFakeServices } from './fake-services.js';
import { type Gateway, startGateway } from './live-gateway.js';
import { servicesAreHealthy } from './live-world.js';

const asIs = (bytes: Buffer): Buffer => bytes;
const bytes = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };

let services: FakeServices;
let allowsAll: FakeServices['decide']['limit'];
let upstream: { url: string; received: Metadata[]; streams: ServerWritableStream<Buffer, Buffer>[]; stop(): void };
let gateway: Gateway;
let client: Client;

beforeAll(async () => {
  services = await startFakeServices();
  allowsAll = services.decide.limit;
  upstream = await startGrpcUpstream();
  gateway = await startGateway({
    authz: [services.authz],
    ratelimit: [services.ratelimit],
    usage: [services.usage],
    routes: [
      { name: 'echo', prefix: '/test.Echo/', upstream: upstream.url, streaming: true },
      { name: 'dead', prefix: '/test.Dead/', upstream: 'grpc://127.0.0.1:1' },
    ],
  });
  await servicesAreHealthy(gateway, ['authz', 'ratelimit', 'usage']);
  client = new Client(`127.0.0.1:${gateway.port}`, credentials.createInsecure());
});

afterEach(() => {
  services.decide.check = allowGoodKey;
  services.decide.limit = allowsAll;
});

afterAll(async () => {
  client.close();
  await gateway.close();
  upstream.stop();
  await services.close();
});

async function startGrpcUpstream(): Promise<typeof upstream> {
  const [received, streams]: [Metadata[], ServerWritableStream<Buffer, Buffer>[]] = [[], []];
  const server = new Server();
  const unary = { path: '/test.Echo/Say', requestStream: false, responseStream: false, ...bytes };
  const stream = { path: '/test.Echo/Tell', requestStream: false, responseStream: true, ...bytes };
  server.addService(
    { say: unary, tell: stream },
    {
      say: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        received.push(call.metadata);
        done(null, call.request);
      },
      tell: (call: ServerWritableStream<Buffer, Buffer>) => {
        streams.push(call);
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { url: `grpc://127.0.0.1:${port}`, received, streams, stop: () => server.forceShutdown() };
}

const withKey = () => Metadata.fromHttp2Headers({ 'x-api-key': GOOD_KEY, 'x-organization-id': 'evil' });

function say(metadata: Metadata, path = '/test.Echo/Say'): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + 10_000;
    client.makeUnaryRequest(path, asIs, asIs, Buffer.from('hello'), metadata, { deadline }, (error, answer) =>
      error ? reject(error) : resolve(answer as Buffer),
    );
  });
}

/** The error of a call that must fail. */
async function failure(call: Promise<Buffer>): Promise<ServiceError> {
  return call.then(
    () => expect.fail('the call was served'),
    (error: ServiceError) => error,
  );
}

test('a call reaches the upstream with the identity and without the key, and its answer comes back', async () => {
  expect((await say(withKey())).toString()).toBe('hello');
  const [metadata] = upstream.received;
  expect(metadata?.get('x-organization-id')).toEqual(['org-1']);
  expect(metadata?.get('x-api-key')).toEqual([]);
});

test('each message of a stream arrives before the next one is made, and its status at its end', async () => {
  const call = client.makeServerStreamRequest('/test.Echo/Tell', asIs, asIs, Buffer.alloc(0), withKey());
  const seen: string[] = [];
  call.on('data', (message: Buffer) => seen.push(message.toString()));
  const ended = new Promise<ServiceError>((resolve) => {
    call.on('error', resolve);
  });
  const source = await until(() => upstream.streams.at(-1));
  for (const [index, message] of ['one', 'two', 'three'].entries()) {
    source.write(Buffer.from(message));
    await until(() => seen.length === index + 1);
  }
  source.emit('error', { code: status.ABORTED, details: 'enough' });
  expect(await ended).toMatchObject({ code: status.ABORTED, details: 'enough' });
  expect(seen).toEqual(['one', 'two', 'three']);
});

test('no key is UNAUTHENTICATED, and the upstream hears nothing', async () => {
  const before = upstream.received.length;
  const { code, details } = await failure(say(new Metadata()));
  expect(code).toBe(status.UNAUTHENTICATED);
  expect(details).toContain('missing_api_key');
  expect(upstream.received.length).toBe(before);
});

test('a bad key is PERMISSION_DENIED', async () => {
  services.decide.check = () => denied(403, 'revoked_api_key');
  expect(await failure(say(withKey()))).toMatchObject({ code: status.PERMISSION_DENIED });
});

test('too many calls are RESOURCE_EXHAUSTED, which no client repeats at once, and tell when to come back', async () => {
  services.decide.limit = overLimit;
  const error = await failure(say(withKey()));
  expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
  expect(error.metadata.get('retry-after')).toEqual(['7']);
});

test.each<[string, () => void, string]>([
  ['authz that cannot decide', () => (services.decide.check = cannotDecide), '/test.Echo/Say'],
  ['authz that is away', () => (services.decide.check = () => undefined), '/test.Echo/Say'],
  ['an upstream that is away', () => {}, '/test.Dead/Say'],
])('%s is UNAVAILABLE', async (_, arrange, path) => {
  arrange();
  expect(await failure(say(withKey(), path))).toMatchObject({ code: status.UNAVAILABLE });
});

test('a service that has no route is UNIMPLEMENTED', async () => {
  expect(await failure(say(withKey(), '/test.Other/Say'))).toMatchObject({ code: status.UNIMPLEMENTED });
});

function denied(httpStatus: number, code: string): CheckResponse {
  return {
    status: { code: status.PERMISSION_DENIED, message: '' },
    httpResponse: {
      $case: 'deniedResponse',
      value: { status: { code: httpStatus }, headers: [], body: JSON.stringify({ error: { code } }) },
    },
  };
}

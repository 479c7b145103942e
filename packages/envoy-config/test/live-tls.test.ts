import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { until } from '@tollgate/testing/until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FakeServices, GOOD_KEY, startFakeServices } from './fake-services.js';
import { type Gateway, startGateway } from './live-gateway.js';
import { makeCertificate, type TestCertificate } from './test-certificate.js';

let services: FakeServices;
const certificates: TestCertificate[] = [];
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  services = await startFakeServices();
  certificates.push(await makeCertificate('localhost'), await makeCertificate('elsewhere.example'));
});

afterAll(async () => {
  for (const close of closers) await close();
  await services.close();
  await Promise.all(certificates.map(({ remove }) => remove()));
});

test('an https upstream is verified, gets its own name as Host, and callers may come by TLS', async () => {
  const [mine] = certificates as [TestCertificate];
  const { port, seen } = await startHttps(mine);
  const gateway = await start({ upstreamUrl: `https://localhost:${port}`, upstreamCaFile: mine.certFile, tls: mine });
  const sent = request({
    host: '127.0.0.1',
    port: gateway.port,
    path: '/x',
    ca: mine.cert,
    servername: 'localhost',
    agent: false,
    headers: { host: 'api.public.example', 'x-api-key': GOOD_KEY },
  });
  sent.end();
  const [answer] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  expect(answer.statusCode).toBe(200);
  expect(seen.at(-1)).toMatchObject({
    sni: 'localhost',
    headers: {
      host: `localhost:${port}`,
      'x-forwarded-host': 'api.public.example',
      'x-forwarded-proto': 'https',
    },
  });
});

test('an upstream whose certificate is for another name gets no request', async () => {
  const [, other] = certificates as [TestCertificate, TestCertificate];
  const { port, seen } = await startHttps(other);
  const gateway = await start({ upstreamUrl: `https://localhost:${port}`, upstreamCaFile: other.certFile });
  const answer = await gateway.ask('/x', { headers: { 'x-api-key': GOOD_KEY } });
  expect(answer.status).toBe(503);
  expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'upstream_unavailable' } });
  expect(seen).toEqual([]);
});

async function start(options: Parameters<typeof startGateway>[0]): Promise<Gateway> {
  const gateway = await startGateway({
    authz: [services.authz],
    ratelimit: [services.ratelimit],
    usage: [services.usage],
    ...options,
  });
  closers.unshift(() => gateway.close());
  await until(async () => {
    const stats = await (await fetch(`${gateway.adminUrl}/stats?filter=authz.membership_healthy`)).text();
    return stats.includes(': 1');
  });
  return gateway;
}

test('an upstream of another CA gets no request', async () => {
  const [mine, other] = certificates as [TestCertificate, TestCertificate];
  const { port, seen } = await startHttps(mine);
  const gateway = await start({ upstreamUrl: `https://localhost:${port}`, upstreamCaFile: other.certFile });
  const answer = await gateway.ask('/x', { headers: { 'x-api-key': GOOD_KEY } });
  expect(answer.status).toBe(503);
  expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'upstream_unavailable' } });
  expect(seen).toEqual([]);
});

/** What reached the upstream, with the name that the connection asked for. */
type Seen = { headers: IncomingHttpHeaders; sni: unknown };

async function startHttps({ cert, key }: TestCertificate): Promise<{ port: number; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer({ cert, key }, (received, response) => {
    seen.push({ headers: received.headers, sni: (received.socket as TLSSocket).servername });
    response.end();
  });
  server.listen(0);
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, seen };
}

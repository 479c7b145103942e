import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { until } from '@tollgate/testing/until';
import { type FakeServices, type FakeUpstream, GOOD_KEY, startFakeServices, startFakeUpstream } from './fake-services.js';
import { type Gateway, startGateway } from './live-gateway.js';

export const WITH_KEY = { 'x-api-key': GOOD_KEY };
const NOBODY_LISTENS = 'http://127.0.0.1:1';

export interface World {
  gateway: Gateway;
  services: FakeServices;
  upstream: FakeUpstream;
  /** The headers of the last request for a path that reached the upstream. */
  received(path: string): IncomingHttpHeaders;
  close(): Promise<void>;
}

/** A real Envoy with a route of every kind between fake services and a fake API. */
export async function startWorld(): Promise<World> {
  const services = await startFakeServices();
  const upstream = await startFakeUpstream({
    '/v1/own-503': (_request, response) =>
      response.writeHead(503, { 'content-type': 'application/x-own' }).end('upstream says 503'),
    '/v1/limits-of-its-own': (_request, response) =>
      response
        .writeHead(200, {
          'X-RateLimit-Limit': '1',
          'x-ratelimit-remaining-minute': '2',
          'X-Ratelimit-Reset-Day': '3',
          'RateLimit-Policy': '"theirs";q=1;w=1',
          ratelimit: '"theirs";r=0;t=1',
          'RateLimit-Remaining': '0',
          'retry-after': '4',
        })
        .end(),
    '/v1/echo-identity': (_request, response) =>
      response
        .writeHead(200, {
          'x-organization-id': 'org-1',
          'x-api-key-id': 'key-1',
          'x-plan-tier': 'basic',
          'x-request-id': 'theirs',
        })
        .end(),
    '/v1/units': (_request, response) => response.writeHead(200, { 'x-usage-units': '42' }).end('x'.repeat(10)),
    '/slow': () => {},
    '/v1/cut': (_request, response) => {
      response.destroy();
    },
  });
  const grpcUpstream = await startGrpcUpstream();
  const gateway = await startGateway({
    version: '1.2.3',
    authz: [services.authz],
    ratelimit: [services.ratelimit],
    usage: [services.usage],
    corsOrigins: ['https://app.example.com'],
    maxRequestBytes: 1000,
    routes: [
      { name: 'v1', prefix: '/v1', upstream: upstream.url },
      { name: 'orders', prefix: '/v1/orders', upstream: upstream.url, scope: 'orders:read' },
      { name: 'slow', prefix: '/slow', upstream: upstream.url, timeoutMs: 100 },
      { name: 'dead', prefix: '/dead', upstream: NOBODY_LISTENS },
      { name: 'open', prefix: '/open', upstream: upstream.url, public: true },
      { name: 'echo', prefix: '/test.Echo/', upstream: grpcUpstream.url, streaming: true },
    ],
  });
  await servicesAreHealthy(gateway, ['authz', 'ratelimit', 'usage']);
  return {
    gateway,
    services,
    upstream,
    received: (path) => lastHeaders(upstream, path),
    close: async () => {
      await gateway.close();
      await Promise.all([services.close(), upstream.close()]);
      grpcUpstream.close();
    },
  };
}

function lastHeaders(upstream: FakeUpstream, path: string): IncomingHttpHeaders {
  const found = upstream.requests.findLast((request) => request.path === path);
  if (found === undefined) throw new Error(`nothing for ${path} reached the upstream`);
  return found.headers;
}

/** Envoy has made its first health checks, and found these well. */
export async function servicesAreHealthy({ adminUrl }: Gateway, clusters: string[]): Promise<void> {
  await until(
    async () => {
      const stats = await (await fetch(`${adminUrl}/stats?filter=membership_healthy`)).text();
      return clusters.every((cluster) => stats.includes(`cluster.${cluster}.membership_healthy: 1`));
    },
    20_000,
    'healthy services',
  );
}

async function startGrpcUpstream(): Promise<{ url: string; close(): void }> {
  const server = createHttp2Server();
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '5' }));
    stream.end('hi');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `grpc://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

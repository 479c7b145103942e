import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envoyPath } from '@tollgate/testing/envoy';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EnvoyConfigOptions } from '../src/options.js';
import { renderEnvoyConfig } from '../src/render-envoy-config.js';
import { renderSecrets } from '../src/secrets.js';
import { validateEnvoyConfig } from '../src/validate-envoy-config.js';
import { makeCertificate, type TestCertificate } from './test-certificate.js';

let envoy: string;
let folder: string;
let certificate: TestCertificate;

beforeAll(async () => {
  envoy = await envoyPath();
  folder = await mkdtemp(join(tmpdir(), 'tollgate-validate-'));
  certificate = await makeCertificate('localhost');
});

afterAll(async () => {
  await certificate.remove();
  await rm(folder, { recursive: true, force: true });
});

const upstream = 'http://127.0.0.1:3000';

test.each<[string, () => EnvoyConfigOptions]>([
  ['the defaults', () => ({})],
  [
    'unix sockets',
    () => ({
      admin: { unix: join(folder, 'a') },
      authz: [{ unix: '/run/a' }],
      ratelimit: [{ unix: '/run/r' }],
      usage: [{ unix: '/run/u' }],
    }),
  ],
  [
    'several processes each, by name',
    () => ({ authz: ['a1', 'a2'].map((host) => ({ host, port: 50051 })), usage: [{ host: 'usage', port: 1 }] }),
  ],
  ['https by name', () => ({ upstreamUrl: 'https://api.example.com', upstreamCaFile: certificate.certFile })],
  ['https by address', () => ({ upstreamUrl: 'https://[::1]:8443', upstreamCaFile: certificate.certFile })],
  ['gRPC', () => ({ upstreamUrl: 'grpc://localhost:50000' })],
  ['gRPC by TLS', () => ({ upstreamUrl: 'grpcs://api.example.com', upstreamCaFile: certificate.certFile })],
  ['TLS for callers', () => ({ tls: certificate })],
  [
    'mTLS to the services, by files that are read once',
    () => ({ serviceTls: { ...certificate, caFile: certificate.certFile, serverSan: 'tollgate.internal' } }),
  ],
  [
    'mTLS to services of names of their own, and certificates that are followed',
    () => ({
      tls: certificate,
      secretsFolder: folder,
      serviceTls: {
        ...certificate,
        caFile: certificate.certFile,
        serverSan: { authz: 'spiffe://tollgate/authz', ratelimit: '10.0.0.1', usage: 'usage.internal' },
      },
    }),
  ],
  ['a shorter life of streams', () => ({ maxStreamMs: 1500 })],
  [
    'traces to a collector with a token',
    () => ({ tracing: { endpoint: 'http://collector:4318', headers: { authorization: 'OTLP_TOKEN' }, sampledShare: 0.25 } }),
  ],
  ['traces by https', () => ({ tracing: { endpoint: 'https://otlp.example.com/otlp' }, upstreamCaFile: certificate.certFile })],
  ['a second witness', () => ({ accessLogFile: join(folder, 'usage.ndjson') })],
  [
    'origins and a largest body',
    () => ({ corsOrigins: ['https://a.example', '*'], maxRequestBytes: 1_000_000, version: '100%' }),
  ],
  [
    'routes of every kind',
    () => ({
      upstreamTimeoutMs: 1500,
      routes: [
        { name: 'all', prefix: '/', upstream, public: true },
        { name: 'orders', prefix: '/v1/orders', upstream, scope: 'orders:read, orders:write' },
        { name: 'events', prefix: '/v1/events/', upstream, streaming: true },
        { name: 'report', prefix: '/v1/report', upstream: 'http://reports', timeoutMs: 60_500 },
      ],
    }),
  ],
])('Envoy accepts the configuration for %s', async (_name, options) => {
  for (const { path, text } of renderSecrets(options())) await writeFile(path, text);
  expect(await validateEnvoyConfig(renderEnvoyConfig(options()), envoy)).toEqual([]);
});

test('a filter that calls a cluster which does not exist is found, though Envoy would start', async () => {
  const text = renderEnvoyConfig().replaceAll(
    'envoy_grpc: { cluster_name: ratelimit }',
    'envoy_grpc: { cluster_name: ratelimits }',
  );
  expect(await validateEnvoyConfig(text, envoy)).toEqual([
    expect.stringMatching(/http_filters\[2\]\S*envoy_grpc\.cluster_name: there is no cluster "ratelimits"$/),
  ]);
});

test('so is a collector of traces without a cluster', async () => {
  const text = renderEnvoyConfig({ tracing: { endpoint: 'http://10.0.0.1:4318' } }).replace('cluster: otlp,', 'cluster: oltp,');
  expect(await validateEnvoyConfig(text)).toEqual([expect.stringMatching(/http_uri\.cluster: there is no cluster "oltp"$/)]);
});

test('a misspelt setting is reported with its place', async () => {
  const text = renderEnvoyConfig().replace('normalize_path: true', 'normalise_path: true');
  expect(await validateEnvoyConfig(text, envoy)).toEqual([
    "static_resources.listeners[0].filter_chains[0].filters[0].typed_config: Envoy knows no setting 'normalise_path' here",
  ]);
});

test("what only Envoy knows is reported in Envoy's words", async () => {
  const [problem, ...more] = await validateEnvoyConfig(
    renderEnvoyConfig().replace('lb_policy: LEAST_REQUEST', 'lb_policy: BEST'),
    envoy,
  );
  expect(problem).toMatch(/^Envoy: .*BEST/);
  expect(more).toEqual([]);
});

test('text that is no YAML is reported with its line', async () => {
  expect(await validateEnvoyConfig('a: [ 1\nb: }')).toEqual(expect.arrayContaining([expect.stringMatching(/line \d/)]));
});

test('a setting given twice is reported, as Envoy would take one of the two', async () => {
  expect(await validateEnvoyConfig('node: {}\nnode: {}')).toEqual([expect.stringContaining('unique')]);
});

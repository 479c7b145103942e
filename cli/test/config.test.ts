import { chmod, mkdtemp, readFile, realpath, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { fieldsOf, SHAPES } from './json-shapes.js';
import { type CliRun, runCli, runHere } from './run-cli.js';

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'tollgate-cli-'));
});

/** A program that answers as Envoy does, and finds no fault. */
async function fakeEnvoy(): Promise<string> {
  const path = join(cwd, 'fake-envoy');
  await writeFile(path, '#!/bin/sh\ncase "$1" in --version) echo "envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL";; esac\n');
  await chmod(path, 0o755);
  return path;
}

const render = (...words: string[]) => runCli(['config', 'render', ...words], { cwd });
const renderHere = (...words: string[]) => runHere(['config', 'render', ...words]);
const routes = async (content: unknown): Promise<CliRun> => {
  const path = join(cwd, 'routes.json');
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return renderHere('--routes', path);
};

test('config render writes usage into a file too where one is named, and nowhere else', async () => {
  const { stdout } = await renderHere('--usage-file', '/var/lib/tollgate/usage.jsonl');
  expect(stdout.match(/^ *path: "\/var\/lib\/tollgate\/usage\.jsonl"$/gm)).toHaveLength(2);
  expect((await renderHere()).stdout).not.toContain('FileAccessLog');
});

test('two gateways that are rendered with names of their own make usage events that are told apart', async () => {
  const nodeOf = async (...words: string[]) => {
    const { exitCode, stdout } = await renderHere(...words);
    expect(exitCode).toBe(0);
    return (parse(stdout) as { node: { id: string } }).node.id;
  };
  expect(await nodeOf()).toBe('gateway-1');
  expect(await nodeOf('--node-id', 'eu-west/gateway-2')).toBe('eu-west/gateway-2');
  for (const wrong of ['two words', 'a\nb', 'x'.repeat(257)]) {
    expect(await renderHere('--node-id', wrong)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--node-id') });
  }
});

test('config render prints YAML for the addresses that are given', async () => {
  const { exitCode, stdout, stderr } = await render(
    ...['--gateway-port', '18080', '--admin-port', '19901', '--upstream', 'https://api.example.com'],
    ...[
      '--authz',
      '10.0.0.1:50051',
      '--authz',
      '10.0.0.2:50051',
      '--ratelimit',
      'unix:/run/ratelimit.sock',
      '--usage',
      '[::1]:50052',
    ],
  );
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(parse(stdout)).toHaveProperty('static_resources.clusters');
  for (const text of ['18080', '19901', 'api.example.com', '10.0.0.1', '10.0.0.2', '/run/ratelimit.sock', '::1'])
    expect(stdout).toContain(text);
});

test('config render has Envoy trace where a collector is named, with a token that stands in no file', async () => {
  const words = ['--otlp-endpoint', 'http://collector:4318', '--otlp-header', 'X-Token=OTLP_TOKEN', '--trace-share', '0.05'];
  const { exitCode, stdout } = await renderHere(...words);
  expect(exitCode).toBe(0);
  expect(stdout).not.toContain('remove: traceparent');
  expect((await renderHere(...words, '--trace-restart')).stdout).toContain('remove: traceparent');
  for (const text of ['http://collector:4318/v1/traces', '"x-token"', '%ENVIRONMENT(OTLP_TOKEN)%', 'numerator: 50000,'])
    expect(stdout).toContain(text);
  expect((await renderHere()).stdout).not.toMatch(/otlp|opentelemetry/i);
});

test.each([
  [['--trace-share', '0.1'], /need --otlp-endpoint/],
  [['--trace-restart'], /need --otlp-endpoint/],
  [['--otlp-endpoint', 'http://c:4318', '--trace-share', '5%'], /--trace-share takes a number from 0 to 1/],
  [['--otlp-endpoint', 'collector:4318'], /the endpoint must be a URL/],
  [['--otlp-endpoint', 'http://c:4318', '--otlp-header', 'authorization=Bearer c4n4ry'], /--otlp-header takes NAME=VARIABLE/],
])('config render refuses %j', async (words, message) => {
  const { exitCode, stderr } = await renderHere(...words);
  expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringMatching(message) });
  expect(stderr).not.toContain('c4n4ry');
});

test('config render takes a file of routes', async () => {
  const { exitCode, stdout } = await routes([
    { name: 'orders', prefix: '/v1/orders', upstream: 'http://orders:80', scope: 'orders:read', timeout: '3s' },
    { name: 'status', prefix: '/status', upstream: 'http://status:80', public: true },
    { name: 'events', prefix: '/v1/events', upstream: 'grpc://events:50051', streaming: true },
  ]);
  expect(exitCode).toBe(0);
  for (const text of ['/v1/orders', 'orders:read', '/status', '/v1/events']) expect(stdout).toContain(text);
});

test.each([
  ['neither YAML nor JSON', '[{ name: a', /routes\.json:1: /],
  ['no list', {}, /list/],
  ['no route', [], /list of routes/],
  ['a text for a route', ['/v1'], /routes\.json:1: a route must be/],
  ['an unknown field', [{ name: 'a', prefix: '/', upstream: 'http://a', timout: '1s' }], /"timout"/],
  ['a missing field', [{ name: 'a', prefix: '/' }], /needs upstream/],
  ['a number for a name', [{ name: 1, prefix: '/', upstream: 'http://a' }], /name must be a text/],
  ['a timeout without its unit', [{ name: 'a', prefix: '/', upstream: 'http://a', timeout: '5' }], /routes\.json:1: timeout/],
  ['yes for true', [{ name: 'a', prefix: '/', upstream: 'http://a', public: 'yes' }], /true or false/],
  ['a prefix that matches nothing', [{ name: 'a', prefix: 'v1', upstream: 'http://a' }], /prefix/],
  ['a password in an upstream', [{ name: 'a', prefix: '/', upstream: 'http://u:p@a' }], /password/],
])('a routes file with %s is refused by name', async (_, content, message) => {
  const { exitCode, stdout, stderr } = await routes(content);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toMatch(message);
});

test.each([
  ['--gateway-port', '65536'],
  ['--gateway-port', 'http'],
  ['--admin-port', '-1'],
  ['--upstream', 'api.example.com'],
  ['--upstream', 'ftp://api.example.com'],
  ['--authz', 'nowhere'],
  ['--authz', 'host:0'],
  ['--usage', 'unix:relative'],
])('config render refuses %s %s', async (...words) => {
  expect(await renderHere(...words)).toMatchObject({ exitCode: 2, stdout: '' });
});

test('config render secures the way to callers and services, and writes what Envoy renews certificates by', async () => {
  const service = [
    '--service-cert',
    's.crt',
    '--service-key',
    's.key',
    '--service-ca',
    'ca.crt',
    '--service-san',
    'authz.internal',
  ];
  const caller = ['--tls-cert', '/etc/tls/tls.crt', '--tls-key', '/etc/tls/tls.key'];
  const { exitCode, stdout, stderr } = await render(...service, ...caller, '--secrets-folder', 'secrets');
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toContain('match_typed_subject_alt_names');
  expect(stdout).toContain(join(await realpath(cwd), 'secrets', 'service-ca.yaml'));
  expect(await readFile(join(cwd, 'secrets', 'gateway-certificate.yaml'), 'utf8')).toContain('/etc/tls/tls.key');
  expect(await readFile(join(cwd, 'secrets', 'service-certificate.yaml'), 'utf8')).toContain(join(await realpath(cwd), 's.crt'));
});

test.each([
  [['--tls-cert', 'a'], /--tls-key is missing/],
  [['--service-cert', 'a', '--service-key', 'b'], /--service-ca, --service-san are missing/],
  [['--secrets-folder', 'a'], /nothing to renew/],
])('config render refuses %j, which is TLS in part', async (words, message) => {
  const { exitCode, stdout, stderr } = await renderHere(...words);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toMatch(message);
});

test('an upstream and routes exclude each other', async () => {
  await writeFile(join(cwd, 'routes.json'), '[]');
  expect(await renderHere('--upstream', 'http://a', '--routes', join(cwd, 'routes.json'))).toMatchObject({
    exitCode: 2,
    stdout: '',
  });
});

test('config validate accepts what config render prints', async () => {
  await writeFile(join(cwd, 'envoy.yaml'), (await render()).stdout);
  const env = { ENVOY_PATH: await fakeEnvoy() };
  const { exitCode, stdout } = await runCli(['config', 'validate', '--envoy', 'envoy.yaml', '-o', 'json'], { cwd, env });
  expect(exitCode).toBe(0);
  const printed = JSON.parse(stdout) as unknown;
  expect(printed).toEqual({ file: 'envoy.yaml', valid: true, envoy_version: '1.40.0', problems: [] });
  expect(fieldsOf(printed)).toEqual(fieldsOf(SHAPES['config validate']));
});

test('config validate without an Envoy says that none was asked', async () => {
  const env = { PATH: '/nonexistent' };
  const { exitCode, stderr } = await runCli(['config', 'validate', '--envoy', 'envoy.yaml'], { cwd, env });
  expect(exitCode).toBe(0);
  expect(stderr).toContain('No Envoy');
});

test('config validate names what is wrong, with exit code 1', async () => {
  const text = (await render()).stdout.replaceAll('cluster_name: authz', 'cluster_name: gone');
  await writeFile(join(cwd, 'broken.yaml'), text);
  const env = { ENVOY_PATH: await fakeEnvoy() };
  const { exitCode, stdout } = await runCli(['config', 'validate', '--envoy', 'broken.yaml', '-o', 'json'], { cwd, env });
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ valid: false, problems: [expect.stringContaining('"gone"')] });
});

test('config validate --ratelimit reads rules as the service does, from a file or a folder', async () => {
  const folder = await mkdtemp(join(cwd, 'rules-'));
  const rule = 'descriptors:\n  - { key: a, rate_limit: { unit: minute, requests_per_unit: 5 } }\n';
  await writeFile(join(folder, 'a.yaml'), `domain: shop\n${rule}`);
  await writeFile(join(folder, 'b.yml'), `domain: edge\n${rule}`);
  const { exitCode, stdout } = await runHere(['config', 'validate', '--ratelimit', folder, '-o', 'json']);
  expect(exitCode).toBe(0);
  const printed = JSON.parse(stdout) as unknown;
  expect(printed).toEqual({ path: folder, valid: true, domains: ['edge', 'shop'], rules: 2, problems: [] });
  expect(fieldsOf(printed)).toEqual(fieldsOf(SHAPES['config validate --ratelimit']));

  await writeFile(join(folder, 'b.yml'), 'domain: edge\ndescriptors:\n  - key: ""\n    unit: minute\n');
  const bad = await runHere(['config', 'validate', '--ratelimit', folder]);
  expect(bad.exitCode).toBe(1);
  expect(bad.stdout).toMatch(/b\.yml:3: the descriptor needs a key/);
  expect(bad.stdout).toMatch(/b\.yml:4: a descriptor has no field "unit"/);
});

test('config validate names a path that is not there, and wants one thing to look at', async () => {
  const missing = await runHere(['config', 'validate', '--ratelimit', join(cwd, 'nothing')]);
  expect(missing).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('is not there') });
  expect(await runHere(['config', 'validate'])).toMatchObject({ exitCode: 2 });
  expect(await runHere(['config', 'validate', '--envoy', 'a', '--ratelimit', 'b'])).toMatchObject({ exitCode: 2 });
});

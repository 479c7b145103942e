import { expect, test } from 'vitest';
import { parse } from 'yaml';
import type { EnvoyConfigOptions, GatewayRoute } from '../src/options.js';
import { EnvoyConfigError, renderEnvoyConfig } from '../src/render-envoy-config.js';
import { renderSecrets } from '../src/secrets.js';

test('envoy/envoy.yaml is what the renderer writes by default', async () => {
  await expect(renderEnvoyConfig()).toMatchFileSnapshot('../../../envoy/envoy.yaml');
});

test.each([undefined, 'folder'])('whatever stands in the options stays a value, with secrets in %s', (secretsFolder) => {
  const nasty = 'x" }\n    injected: yes # %REQ(x)%';
  const text = renderEnvoyConfig({
    nodeId: nasty,
    version: nasty,
    corsOrigins: [nasty],
    accessLogFile: nasty,
    tls: { certFile: nasty, keyFile: nasty },
    serviceTls: { certFile: nasty, keyFile: nasty, caFile: nasty, serverSan: nasty },
    secretsFolder,
    authz: [{ unix: nasty }],
  });
  expect(text).not.toMatch(/^ *injected:/m);
  expect(parse(text)).toMatchObject({ node: { id: nasty } });
  expect(text).toContain('%%REQ(x)%%');
});

test('without a folder for secrets there are none, and paths in them stay values', () => {
  const nasty = 'x" }\n  injected: yes';
  const files = { certFile: nasty, keyFile: nasty };
  const options = { tls: files, serviceTls: { ...files, caFile: nasty, serverSan: 'x' } };
  expect(renderSecrets(options)).toEqual([]);
  const secrets = renderSecrets({ ...options, secretsFolder: '/run/secrets' });
  expect(secrets.map(({ path }) => path)).toEqual([
    '/run/secrets/gateway-certificate.yaml',
    '/run/secrets/service-certificate.yaml',
    '/run/secrets/service-ca.yaml',
  ]);
  for (const { path, text } of secrets) {
    expect(text).not.toMatch(/^ *injected:/m);
    expect(parse(text)).toMatchObject({ resources: [{ name: path.replace(/.*\/|\.yaml/g, '') }] });
    expect(renderEnvoyConfig({ ...options, secretsFolder: '/run/secrets' })).toContain(path);
  }
});

test('the more special prefix stands first, or a public "/" would hide a scope', () => {
  const names = routesOf([route('all', '/'), route('v1', '/v1/'), route('orders', '/v1/orders')]).map(({ name }) => name);
  expect(names.slice(2)).toEqual(['orders', 'v1', 'all']);
});

test('so much more may be under way to authz as there are more of it', () => {
  const authz = [50051, 50052, 50053].map((port) => ({ host: '127.0.0.1', port }));
  expect(renderEnvoyConfig({ authz })).toContain('max_requests: 3072');
});

test('every mistake in the options is told at once', () => {
  const render = () =>
    renderEnvoyConfig({
      routes: [
        route('a', 'v1'),
        route('a', '/v1/../x'),
        { ...route('b c', '/b'), public: true, scope: 's' },
        { ...route('path', '/p'), upstream: 'https://api.example.com/base' },
        { ...route('login', '/l'), upstream: 'https://user:secret@api.example.com' },
        { ...route('scope', '/scope'), scope: ' , ' },
        { ...route('words', '/words'), scope: 'Orders;read' },
        { ...route('scheme', '/s'), upstream: 'ftp://api.example.com', timeoutMs: 0 },
      ],
      authz: [],
      serviceTls: { certFile: 'c', keyFile: 'k', caFile: 'ca', serverSan: '' },
      maxStreamMs: 0,
      tracing: { endpoint: 'grpc://collector:4317', headers: { 'x-token': 'the secret itself' }, sampledShare: 2 },
      usage: [{ unix: '/run/usage.sock' }, { host: 'usage', port: 50052 }],
    });
  expect(render).toThrow(EnvoyConfigError);
  expect(problemsOf(render)).toEqual([
    'route "a": the prefix must be a plain path that begins with "/"',
    'route "a": the prefix must be a plain path that begins with "/"',
    'route "b c": the name must be 1 to 64 letters, digits, ".", "_" or "-"',
    'route "b c": a public route knows no key, so it cannot demand a scope',
    'route "path": the upstream must be a host without a path: what callers ask for is passed on as it is',
    'route "login": the upstream must not hold a user or password',
    'route "scope": the scope must be words such as "orders:read", several parted by commas or blanks',
    'route "words": the scope must be words such as "orders:read", several parted by commas or blanks',
    'route "scheme": the timeout must be more than zero',
    'route "scheme": the upstream must begin with http://, https://, grpc:// or grpcs://',
    'two routes have the name "a"',
    'authz has no address',
    'usage: unix sockets and host names cannot stand in one cluster of Envoy',
    'TLS to the services needs the name that stands in their certificates',
    'the longest life of a stream must be more than zero',
    'tracing: the endpoint must be a URL such as http://collector:4318, without user, query and fragment',
    'tracing: the sampled share must be from 0 to 1',
    'tracing: the header "x-token" needs a name in lower case, and a variable of the environment',
  ]);
});

test('the Host header is rewritten for https only, without the port that https has anyway', () => {
  const hostFor = (upstreamUrl: string) => routesOf(undefined, { upstreamUrl }).at(-1)?.route?.['host_rewrite_literal'];
  expect(hostFor('http://api.example.com')).toBeUndefined();
  expect(hostFor('https://api.example.com')).toBe('api.example.com');
  expect(hostFor('https://api.example.com:443/')).toBe('api.example.com');
  expect(hostFor('https://api.example.com:80')).toBe('api.example.com:80');
  expect(hostFor('https://api.example.com:8443')).toBe('api.example.com:8443');
});

test('names are looked up, addresses are not', () => {
  const typeFor = (upstreamUrl: string) => clustersOf({ upstreamUrl }).find(({ name }) => name === 'upstream-default')?.type;
  expect(typeFor('http://api.example.com')).toBe('STRICT_DNS');
  expect(typeFor('http://localhost:3000')).toBe('LOGICAL_DNS');
  expect(typeFor('http://10.0.0.1')).toBe('STATIC');
  expect(typeFor('https://[2001:db8::1]:8443')).toBe('STATIC');
  const authz = clustersOf({ authz: [{ host: 'authz', port: 50051 }] }).find(({ name }) => name === 'authz');
  expect(authz?.type).toBe('STRICT_DNS');
});

test('spans go to the address that OpenTelemetry means, its name verified where it is https', () => {
  const collectorFor = (endpoint: string) => {
    const text = renderEnvoyConfig({ tracing: { endpoint } });
    const cluster = clustersOf({ tracing: { endpoint } }).find(({ name }) => name === 'otlp');
    return { uri: /uri: "([^"]*)"/.exec(text)?.[1], type: cluster?.type, tls: 'transport_socket' in (cluster ?? {}) };
  };
  expect(collectorFor('http://10.0.0.1:4318')).toEqual({ uri: 'http://10.0.0.1:4318/v1/traces', type: 'STATIC', tls: false });
  expect(collectorFor('https://otlp.example.com/base/')).toEqual({
    uri: 'https://otlp.example.com/base/v1/traces',
    type: 'STRICT_DNS',
    tls: true,
  });
});

interface Rendered {
  static_resources: {
    listeners: {
      filter_chains: {
        filters: {
          typed_config: { route_config: { virtual_hosts: { routes: { name: string; route?: Record<string, unknown> }[] }[] } };
        }[];
      }[];
    }[];
    clusters: { name: string; type: string }[];
  };
}

function routesOf(routes: GatewayRoute[] | undefined, options: EnvoyConfigOptions = {}) {
  const rendered = parse(renderEnvoyConfig({ ...options, routes })) as Rendered;
  const manager = rendered.static_resources.listeners[0]?.filter_chains[0]?.filters[0]?.typed_config;
  return manager?.route_config.virtual_hosts[0]?.routes ?? [];
}

function clustersOf(options: EnvoyConfigOptions) {
  return (parse(renderEnvoyConfig(options)) as Rendered).static_resources.clusters;
}

function route(name: string, prefix: string): GatewayRoute {
  return { name, prefix, upstream: 'http://127.0.0.1:3000' };
}

function problemsOf(render: () => string): readonly string[] {
  try {
    render();
  } catch (error) {
    if (error instanceof EnvoyConfigError) return error.problems;
  }
  return [];
}

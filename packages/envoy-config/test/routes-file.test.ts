import { expect, test } from 'vitest';
import { renderEnvoyConfig } from '../src/render-envoy-config.js';
import { parseRoutesFile } from '../src/routes-file.js';

const WHOLE = `# What the gateway serves
- name: orders
  prefix: /v1/orders
  upstream: https://orders.example.com
  scope: orders:read
  timeout: 1500ms
- name: events
  prefix: /v1/events/
  upstream: grpc://events:50051
  streaming: true
- { name: docs, prefix: /docs, upstream: "http://docs:3000", public: true }
`;

const ROUTES = [
  { name: 'orders', prefix: '/v1/orders', upstream: 'https://orders.example.com', scope: 'orders:read', timeoutMs: 1500 },
  { name: 'events', prefix: '/v1/events/', upstream: 'grpc://events:50051', streaming: true },
  { name: 'docs', prefix: '/docs', upstream: 'http://docs:3000', public: true },
];

function problems(text: string): string[] {
  const read = parseRoutesFile(text, 'routes.yaml');
  return read.kind === 'refused' ? read.problems : [];
}

test('YAML is read, and what it says can be rendered', () => {
  expect(parseRoutesFile(WHOLE, 'routes.yaml')).toEqual({ kind: 'routes', routes: ROUTES });
  expect(renderEnvoyConfig({ routes: ROUTES })).toContain('scope: "orders:read"');
});

test('JSON is read too', () => {
  const json = ROUTES.map(({ timeoutMs, ...route }) => ({ ...route, ...(timeoutMs && { timeout: `${timeoutMs}ms` }) }));
  expect(parseRoutesFile(JSON.stringify(json, null, 2), 'r.json')).toEqual({ kind: 'routes', routes: ROUTES });
});

test('a value that stands once may be named and used again', () => {
  const text = '- { name: a, prefix: /a, upstream: &api "http://api" }\n- { name: b, prefix: /b, upstream: *api }\n';
  const read = parseRoutesFile(text, 'routes.yaml');
  expect(read.kind === 'routes' && read.routes.map(({ upstream }) => upstream)).toEqual(['http://api', 'http://api']);
});

test.each([
  ['15s', 15_000],
  ['200ms', 200],
  ['10m', 600_000],
  ['1h', 3_600_000],
])('a timeout of %s is understood', (timeout, timeoutMs) => {
  const read = parseRoutesFile(`- { name: a, prefix: /a, upstream: "http://api", timeout: ${timeout} }`, 'routes.yaml');
  expect(read).toMatchObject({ routes: [{ timeoutMs }] });
});

test('every problem is told at once, with its file and line', () => {
  const text = `- name: a
  prefix: v1
  upstream: http://a
- name: b
  prefix: /b
  upstraem: http://b
  scop: orders:read
- name: 3
  prefix: /c
  upstream: http://c
  timeout: 15
  public: yes
- just text
- name: a
  prefix: /d
  upstream: ftp://user:secret@d
`;
  expect(problems(text)).toEqual([
    'routes.yaml:1: route "a": the prefix must be a plain path that begins with "/"',
    'routes.yaml:4: the route needs upstream',
    'routes.yaml:6: there is no field "upstraem"; there are name, prefix, upstream, scope, timeout, streaming, public',
    'routes.yaml:7: there is no field "scop"; there are name, prefix, upstream, scope, timeout, streaming, public',
    'routes.yaml:8: name must be a text',
    'routes.yaml:11: timeout must be a duration with its unit, such as 200ms, 15s or 10m',
    'routes.yaml:12: public must be true or false',
    'routes.yaml:13: a route must be a group of fields such as name, prefix and upstream',
    'routes.yaml:14: route "a": the upstream must begin with http://, https://, grpc:// or grpcs://',
    'routes.yaml:14: another route has the name "a" already',
  ]);
});

test.each([
  ['nothing', '', 1],
  ['a comment alone', '# later\n', 1],
  ['one route without its list', 'name: a\nprefix: /a\n', 1],
  ['an empty list', '\n[]\n', 2],
  ['a text', 'routes', 1],
])('%s is no list of routes', (_, text, line) => {
  expect(problems(text)).toEqual([
    `routes.yaml:${line}: the file must hold a list of routes, each with a name, a prefix and an upstream`,
  ]);
});

test.each([
  ['a bracket that is not closed', '- { name: a,\n'],
  ['a tab', '- name: a\n\tprefix: /a\n'],
  ['a name that was given to nothing', '- *nothing\n'],
  ['two documents', '- a\n---\n- b\n'],
  ['a tag', '- !!js/function "x"\n'],
])('%s is reported with its line', (_, text) => {
  const [first] = problems(text);
  expect(first).toMatch(/^routes\.yaml:\d+: ./);
});

test('a field given twice is refused, as one of the two would be lost', () => {
  const text = '- name: a\n  prefix: /a\n  upstream: http://a\n  scope: x\n  scope: y\n';
  expect(problems(text)).toEqual([expect.stringMatching(/^routes\.yaml:5: .*unique/)]);
});

test('a field that is called like something of every object is unknown all the same', () => {
  expect(problems('- { name: a, prefix: /a, upstream: "http://a", constructor: x, __proto__: y }')).toEqual([
    expect.stringContaining('no field "constructor"'),
    expect.stringContaining('no field "__proto__"'),
  ]);
});

test('a field without a value is told, not passed over', () => {
  expect(problems('- name: a\n  prefix: /a\n  upstream: http://a\n  scope:\n')).toEqual(['routes.yaml:4: scope must be a text']);
});

test('aliases cannot blow a small file up', () => {
  const rows = Array.from({ length: 30 }, (_, i) => `- &x${i + 1} [*x${i}, *x${i}]`).join('\n');
  expect(problems(`- &x0 [a]\n${rows}\n`).length).toBe(31);
});

test('a password in an upstream is in no message', () => {
  expect(problems('- { name: a, prefix: /a, upstream: "http://user:secret@a" }').join()).not.toContain('secret');
  expect(problems('- name: a\n  upstream: http://user:secret@a: {\n').join()).not.toContain('secret');
});

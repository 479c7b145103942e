import { bytes, frames, overBoth, overHttp1, overHttp2, refused, type SpoofingCase } from './spoofing-case.js';

const SHORT_OF_SCOPE = { seen: '403 insufficient_scope' };
const GRPC = [
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
] as const;
const FORGED = [
  ['X-Organization-ID', 'evil'],
  ['X-API-Key-ID', 'evil'],
  ['X-Plan-Tier', 'evil'],
  ['X-Request-ID', 'evil'],
  ['X-Tollgate-A', 'evil'],
] as const;

/** On a gateway with a public route, one that demands the scope `admin`, two of gRPC, and one for all the rest. */
export const ROUTE_CASES: readonly SpoofingCase[] = [
  ...overBoth('a public route tells no identity', { path: '/public', key: FORGED }, { seen: '200', as: 'nobody' }),
  ...overBoth(
    'a public route tells no identity, though a key is sent',
    { path: '/public', headers: FORGED },
    { seen: '200', as: 'nobody' },
  ),
  ...overBoth(
    'a public route passes no key on',
    { path: '/public/x', key: [['Authorization', 'Bearer {own}']] },
    { seen: '200', as: 'nobody', upstream: { headers: { authorization: null } } },
  ),
  ...overBoth(
    'a public route passes none of two keys on',
    {
      path: '/public',
      key: [
        ['Authorization', 'Basic abc, bearer {own}'],
        ['X-API-Key', '{own}'],
        ['X-API-Key', '{other}'],
      ],
    },
    { seen: '200', as: 'nobody', upstream: { headers: { authorization: null } } },
  ),
  ...overBoth(
    'a public route passes no bare key on',
    { path: '/public', key: [['Authorization', '{own}']] },
    { seen: '200', as: 'nobody', upstream: { headers: { authorization: null } } },
  ),
  ...overBoth(
    "a public route passes the customer's own Authorization on",
    {
      path: '/public',
      key: [
        ['Authorization', 'Bearer own'],
        ['X-API-Key', '{own}'],
      ],
    },
    { seen: '200', as: 'nobody', upstream: { headers: { authorization: 'Bearer own' } } },
  ),
  ...refused('underscores on a public route', { path: '/public', key: [['x_organization_id', 'evil']] }),
  ...overBoth(
    'trailers on a public route',
    {
      path: '/public',
      method: 'POST',
      body: 'hi',
      key: [],
      trailers: [
        ['X-Organization-ID', 'evil'],
        ['X-API-Key', '{own}'],
      ],
    },
    { seen: '200', as: 'nobody' },
  ),
  overHttp1(
    'a websocket on a public route',
    {
      path: '/public',
      key: FORGED,
      headers: [
        ['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
      ],
    },
    { seen: '101', as: 'nobody' },
  ),
  bytes(
    'a request behind one to a public route',
    'GET /public HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    { seen: '200, 401 missing_api_key', reached: 1, as: 'nobody' },
  ),

  ...overBoth('a scope that the key has', { path: '/scoped', key: [['X-API-Key', '{admin}']] }, { seen: '200', as: 'admin' }),
  ...overBoth('a scope that the key lacks', { path: '/scoped' }, SHORT_OF_SCOPE),
  ...[
    '//scoped',
    '/./scoped',
    '/x/../scoped',
    '/x/%2e%2e/scoped',
    '/%73coped',
    '/%73%63oped/x',
    '/x\\..\\scoped',
    '/public/../scoped',
    '/public/%2E%2E/scoped',
    '/scoped/',
    '/scoped?x;y',
    '/scoped//',
    '/scoped/.',
    '/public/..//scoped',
    '/scoped/x/..',
    '/public/..;/scoped',
    '/public/..;a=b/scoped',
    '/x/..;/scoped',
  ].flatMap((path) => overBoth(`the scope holds for ${path}`, { path }, SHORT_OF_SCOPE)),
  ...refused('the scope holds for \\scoped', { path: '\\scoped' }),
  ...[
    '/scoped%2Fx',
    '/scoped%5Cx',
    '/x%2F..%2Fscoped',
    '/public%2F..%2Fscoped',
    '/public/..%5cscoped',
    '/public/%2e%2e;/scoped',
    '/scoped;/x',
    '/scoped;a=b',
    '/scoped%3Bx',
  ].flatMap((path) => overBoth(`${path} is refused`, { path }, { seen: '400 bad_request' })),
  ...overBoth(
    'X-Envoy-Original-Path, X-Original-URL and X-Rewrite-URL choose no route',
    {
      path: '/scoped',
      headers: [
        ['X-Envoy-Original-Path', '/x'],
        ['X-Original-URL', '/x'],
        ['X-Rewrite-URL', '/x'],
      ],
    },
    SHORT_OF_SCOPE,
  ),
  ...overBoth(
    'X-HTTP-Method-Override chooses no route',
    {
      path: '/scoped',
      method: 'POST',
      headers: [
        ['X-HTTP-Method-Override', 'GET'],
        ['Content-Length', '0'],
      ],
    },
    SHORT_OF_SCOPE,
  ),
  overHttp1('the scope holds for an absolute form', { path: 'http://a/scoped' }, SHORT_OF_SCOPE),
  overHttp1('the scope holds for another Host', { path: '/scoped', headers: [['Host', 'public']] }, SHORT_OF_SCOPE),

  ...overBoth(
    'gRPC tells the identity',
    { method: 'POST', path: '/echo.Echo/Say', body: '\0\0\0\0\0', headers: [...GRPC, ...FORGED] },
    { seen: '200' },
  ),
  overHttp2(
    'gRPC without a key',
    { method: 'POST', path: '/echo.Echo/Say', body: '\0\0\0\0\0', key: [], headers: GRPC },
    { seen: '200', reached: 0 },
  ),
  ...overBoth(
    'gRPC with a forged identity and the key in trailers',
    {
      method: 'POST',
      path: '/echo.Echo/Say',
      body: '\0\0\0\0\0',
      headers: GRPC,
      trailers: [...FORGED, ['X-API-Key', '{own}'], ['Authorization', 'Bearer {own}']],
    },
    { seen: '200' },
  ),
  ...overBoth(
    'public gRPC with a forged identity and the key in trailers',
    {
      method: 'POST',
      path: '/open.Echo/Say',
      body: '\0\0\0\0\0',
      key: GRPC,
      trailers: [...FORGED, ['X-API-Key', '{own}'], ['Authorization', 'Bearer {own}']],
    },
    { seen: '200', as: 'nobody' },
  ),
  frames(
    'gRPC with two pieces of metadata of one name',
    {
      headers: [
        [':method', 'POST'],
        [':path', '/echo.Echo/Say'],
        [':scheme', 'http'],
        [':authority', 'a'],
        ['te', 'trailers'],
        ['content-type', 'application/grpc'],
        ['x-api-key', '{own}'],
        ['x-plan-tier', 'evil'],
        ['x-plan-tier', 'evil'],
        ['x-plan-tier-bin', 'ZXZpbA'],
      ],
      data: '\0\0\0\0\0',
    },
    { seen: '200' },
  ),
];

import { bytes, type Fields, frames, overBoth, overHttp1, type SpoofingCase } from './spoofing-case.js';

/** How a path that could mean two things is passed on, or that it is refused. */
const PATHS: readonly (readonly [sent: string, expected: string])[] = [
  ['/a%2Fb', '400 bad_request'],
  ['/a%2fb', '400 bad_request'],
  ['/a%5Cb', '400 bad_request'],
  ['/a%5cb', '400 bad_request'],
  ['/a/../b', '/b'],
  ['/a/%2e%2e/b', '/b'],
  ['/a/.%2E/b', '/b'],
  ['/../../b', '/b'],
  ['/a/./b', '/a/b'],
  ['/a//b', '/a/b'],
  ['//b', '/b'],
  ['///b//', '/b/'],
  ['/a\\b', '/a/b'],
  ['/a\\..\\b', '/b'],
  ['/a/..;/b', '/b'],
  ['/a/..;p=1/b', '/b'],
  ['/a/.;/b', '/a/b'],
  ['/a%00b', '400 bad_request'],
  ['/a%0d%0aX-Organization-ID:%20evil', '/a%0d%0aX-Organization-ID:%20evil'],
  ['/a%252Fb', '/a%252Fb'],
  ['/a?b=/../c%2Fd//e', '/a?b=/../c%2Fd//e'],
  ['/%61', '/a'],
];

const GET: Fields = [
  [':method', 'GET'],
  [':path', '/x'],
  [':scheme', 'http'],
  [':authority', 'a'],
];

export const PATH_CASES: readonly SpoofingCase[] = [
  ...PATHS.flatMap(([path, expected]) =>
    overBoth(
      `the path ${path}`,
      { path },
      expected.startsWith('/') ? { seen: '200', upstream: { path: expected } } : { seen: expected },
    ),
  ),
  bytes('a NUL in the path', 'GET /a\0b HTTP/1.1\r\nHost: a\r\nX-API-Key: {own}\r\nConnection: close\r\n\r\n', {
    seen: '400 bad_request',
  }),
  bytes('a path beyond ASCII', 'GET /\u00e4\u00f6 HTTP/1.1\r\nHost: a\r\nX-API-Key: {own}\r\nConnection: close\r\n\r\n', {
    seen: '400 bad_request',
  }),
  overHttp1('a fragment in the path', { path: '/a#/../b' }, { seen: '400 bad_request' }),
  overHttp1(
    'an absolute form',
    { path: 'http://evil.example/a' },
    { seen: '200', upstream: { path: '/a', headers: { host: 'evil.example' } } },
  ),
  overHttp1('an absolute form of https', { path: 'https://evil.example/a' }, { seen: '403 bad_request' }),
  overHttp1('an absolute form with a user', { path: 'http://user:pass@evil.example/a' }, { seen: '200' }),
  overHttp1('an absolute form of another scheme', { path: 'file:///etc/passwd' }, { seen: '400 bad_request' }),
  overHttp1('an asterisk for a path', { method: 'OPTIONS', path: '*' }, { seen: '404 route_not_found' }),
  overHttp1('a path without a slash', { path: 'x' }, { seen: '400 bad_request' }),
  bytes('no Host', 'GET /x HTTP/1.1\r\nX-API-Key: {own}\r\nConnection: close\r\n\r\n', { seen: '400 bad_request' }),
  bytes('two Host', 'GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\nX-API-Key: {own}\r\nConnection: close\r\n\r\n', {
    seen: '200',
    upstream: { headers: { host: 'a,b' } },
  }),
  overHttp1('a Host with a path', { headers: [['Host', 'a/../evil']] }, { seen: '400 bad_request' }),
  overHttp1(
    'a Host with a user',
    { headers: [['Host', 'user@evil']] },
    { seen: '200', upstream: { headers: { host: 'user@evil' } } },
  ),
  ...(
    [
      ['an :authority beside another host', [['host', 'evil']], '200'],
      ['two :authority', [[':authority', 'evil']], 'refused'],
      ['two :path', [[':path', '/evil']], 'refused'],
      ['two :method', [[':method', 'POST']], 'refused'],
      ['two :scheme', [[':scheme', 'https']], 'refused'],
      ['an unknown pseudo header', [[':evil', '1']], 'refused'],
      ['a :status in a request', [[':status', '200']], 'refused'],
      ['a :protocol without CONNECT', [[':protocol', 'websocket']], 'refused'],
    ] as const
  ).map(([title, more, seen]) =>
    frames(
      title,
      {
        headers: [
          [':method', 'GET'],
          [':path', '/x'],
          [':scheme', 'http'],
          [':authority', 'api.example.com'],
          ...more,
          ['x-api-key', '{own}'],
        ],
      },
      { seen },
    ),
  ),
  ...(
    [
      ['a :path that is a whole address', ':path', 'http://evil.example/a'],
      ['a :path without a slash', ':path', 'x'],
      ['an empty :path', ':path', ''],
      ['a :path with a second request line', ':path', '/x HTTP/1.1\r\nX-Organization-ID: evil\r\n\r\nGET /y'],
      ['a :path with a blank', ':path', '/x y'],
      ['a :path of an asterisk', ':path', '*'],
      ['a :method with a request line', ':method', 'GET /evil HTTP/1.1\r\nHost: a\r\n\r\nGET'],
      ['a :scheme that is an address', ':scheme', 'http://evil/?'],
      ['an :authority with a user', ':authority', 'user@evil'],
      ['an :authority with a path', ':authority', 'a/../evil'],
      ['an :authority with a line end', ':authority', 'a\r\nX-Organization-ID: evil'],
    ] as const
  ).map(([title, name, value]) =>
    frames(
      title,
      {
        headers: [...GET.map(([sent, usual]) => [sent, sent === name ? value : usual] as const), ['x-api-key', '{own}']],
      },
      { seen: 'refused' },
    ),
  ),
];

/** Where every path leads to one upstream with the same demands, there is nothing to pass by. */
export const ONE_ROUTE_CASES: readonly SpoofingCase[] = ['/a;p=1/b', '/a/%2e%2e;/b', '/a/..%3B/b'].flatMap((path) =>
  overBoth(`the path ${path} is passed on`, { path }, { seen: '200', upstream: { path } }),
);

import { bytes, frames, overBoth, overHttp1, type SpoofingCase } from './spoofing-case.js';

const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Organization-ID: evil\r\n\r\n';
const BAD = '400 bad_request';
const UNKNOWN_CODING = '501 gateway_error';
const TOO_OLD = '426 bad_request';

/** A POST with these headers of its length, and this body. */
function post(title: string, framing: string, body: string, seen: string, reached?: number): SpoofingCase {
  const text = `POST /x HTTP/1.1\r\nHost: a\r\nX-API-Key: {own}\r\n${framing}\r\n\r\n${body}`;
  return bytes(title, text, { seen, ...(reached === undefined ? {} : { reached }) });
}

/** A GET with this text among its headers. */
function get(title: string, text: string, seen: string): SpoofingCase {
  return bytes(title, `GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: {own}\r\n${text}\r\n\r\n`, { seen });
}

const CHUNKS = `0\r\n\r\n${HIDDEN}`;

export const FRAMING_CASES: readonly SpoofingCase[] = [
  post('a length and chunks', 'Content-Length: 4\r\nTransfer-Encoding: chunked', CHUNKS, BAD),
  post('chunks and a length', 'Transfer-Encoding: chunked\r\nContent-Length: 4', CHUNKS, BAD),
  post('two lengths', 'Content-Length: 4\r\nContent-Length: 5', 'evil!', BAD),
  post('the same length twice', 'Content-Length: 4\r\nContent-Length: 4', 'evil', BAD),
  post('two lengths in one header', 'Content-Length: 4, 4', 'evil', BAD),
  post('a length with a sign', 'Content-Length: +4', 'evil', BAD),
  post('a length below zero', 'Content-Length: -1', 'evil', BAD),
  post('a length in hex', 'Content-Length: 0x4', 'evil', BAD),
  post('a length beyond 64 bits', 'Content-Length: 18446744073709551620', 'evil', BAD),
  post('an empty length', 'Content-Length: ', 'evil', BAD),
  post('chunks twice in one header', 'Transfer-Encoding: chunked, chunked', CHUNKS, UNKNOWN_CODING),
  post('chunks twice in two headers', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', CHUNKS, UNKNOWN_CODING),
  post('an unknown coding', 'Transfer-Encoding: xchunked', CHUNKS, UNKNOWN_CODING),
  post('identity', 'Transfer-Encoding: identity', CHUNKS, UNKNOWN_CODING),
  post('chunks, then identity', 'Transfer-Encoding: chunked, identity', CHUNKS, UNKNOWN_CODING),
  post('gzip, then chunks', 'Transfer-Encoding: gzip, chunked', CHUNKS, UNKNOWN_CODING),
  post('chunks behind a vertical tab', 'Transfer-Encoding: \x0bchunked', CHUNKS, BAD),
  post('chunks behind an obsolete fold', 'Transfer-Encoding:\r\n chunked\r\nContent-Length: 4', CHUNKS, BAD),
  post('chunks with a blank before the colon', 'Transfer-Encoding : chunked', CHUNKS, BAD),
  post('chunks under a name with an underscore', 'Transfer_Encoding: chunked\r\nContent-Length: 4', `evil${HIDDEN}`, BAD),
  post('Chunked in capitals', 'Transfer-Encoding: CHUNKED\r\nConnection: close', '0\r\n\r\n', '200'),
  post('a chunk in hex with 0x', 'Transfer-Encoding: chunked', '0x2\r\nhi\r\n0\r\n\r\n', BAD),
  post('a chunk below zero', 'Transfer-Encoding: chunked', '-2\r\nhi\r\n0\r\n\r\n', BAD),
  post('a chunk beyond 64 bits', 'Transfer-Encoding: chunked', '10000000000000002\r\nhi\r\n0\r\n\r\n', BAD),
  post('chunks that end with a bare line feed', 'Transfer-Encoding: chunked', '2\nhi\n0\n\n', BAD),
  post(
    'a chunk longer than it says',
    'Transfer-Encoding: chunked',
    `2\r\nhiX\r\n0\r\n\r\n${HIDDEN}`,
    '200, 401 missing_api_key',
    1,
  ),
  post('a request hidden behind a body', 'Content-Length: 4', `evil${HIDDEN}`, `200, 401 missing_api_key`, 1),
  post('a request hidden behind the last chunk', 'Transfer-Encoding: chunked', CHUNKS, '200, 401 missing_api_key', 1),
  post(
    'a request hidden in a chunk extension',
    'Transfer-Encoding: chunked\r\nConnection: close',
    '2;a="\r\nhi\r\n0\r\n\r\n',
    '200',
  ),
  bytes(
    'a GET whose body is a request',
    `GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: {own}\r\nContent-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
    { seen: '200' },
  ),
  bytes(
    'two requests of two callers on one connection are two callers',
    'GET /x HTTP/1.1\r\nHost: a\r\nX-API-Key: {own}\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\nX-API-Key: {unknown}\r\nConnection: close\r\n\r\n',
    { seen: '200, 403 invalid_api_key', reached: 1 },
  ),
  bytes('line feeds without carriage returns', 'GET /x HTTP/1.1\nHost: a\nConnection: close\nX-API-Key: {own}\n\n', {
    seen: '200',
  }),
  get('a bare line feed in a header', 'X-A: b\nX-Organization-ID: evil', '200'),
  {
    ...get('a bare carriage return in a header', 'X-A: b\rX-Organization-ID: evil', '200'),
    upstream: { headers: { 'x-a': 'bX-Organization-ID: evil' } },
  },
  get('a NUL in a value', 'X-A: b\0X-Organization-ID: evil', BAD),
  get('a NUL in a name', 'X-Organization-ID\0: evil', BAD),
  get('a blank before the colon', 'X-Organization-ID : evil', BAD),
  get('a tab before the colon', 'X-Organization-ID\t: evil', BAD),
  get('a blank in a name', 'X-Organization ID: evil', BAD),
  get('a name beyond ASCII', 'X-Organization-\u00cfD: evil', BAD),
  get('no name', ': evil', BAD),
  get('no colon', 'X-Organization-ID', BAD),
  bytes('a fold before the first header', 'GET /x HTTP/1.1\r\n X-Organization-ID: evil\r\nHost: a\r\nX-API-Key: {own}\r\n\r\n', {
    seen: BAD,
  }),
  bytes('HTTP/1.0', 'GET /x HTTP/1.0\r\nHost: a\r\nX-API-Key: {own}\r\nX-Organization-ID: evil\r\n\r\n', { seen: TOO_OLD }),
  bytes('HTTP/0.9', 'GET /x\r\n\r\n', { seen: TOO_OLD }),
  bytes('HTTP/1.2', 'GET /x HTTP/1.2\r\nHost: a\r\nX-API-Key: {own}\r\n\r\n', { seen: TOO_OLD }),
  bytes('HTTP/2.0 in text', 'GET /x HTTP/2.0\r\nHost: a\r\nX-API-Key: {own}\r\n\r\n', { seen: TOO_OLD }),
  bytes('a preface of HTTP/2 that is none', 'PRI * HTTP/1.1\r\nHost: a\r\nX-API-Key: {own}\r\n\r\n', { seen: BAD }),
  bytes('a preface of HTTP/2 without its end', 'PRI * HTTP/2.0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n', { seen: 'refused' }),
  bytes('blanks in the request line', 'GET  /x  HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: {own}\r\n\r\n', {
    seen: '200',
    upstream: { path: '/x' },
  }),
  bytes('an unknown method', 'EVIL /x HTTP/1.1\r\nHost: a\r\nX-API-Key: {own}\r\n\r\n', { seen: BAD }),
  bytes('a method in small letters', 'get /x HTTP/1.1\r\nHost: a\r\nX-API-Key: {own}\r\n\r\n', { seen: BAD }),
  bytes('headers of 40 kB', `GET /x HTTP/1.1\r\nHost: a\r\nX-API-Key: {own}\r\nX-A: ${'a'.repeat(40_000)}\r\n\r\n`, {
    seen: '431 headers_too_large',
  }),
  bytes('200 headers', `GET /x HTTP/1.1\r\nHost: a\r\nX-API-Key: {own}\r\n${'X-A: b\r\n'.repeat(200)}\r\n`, {
    seen: '431 headers_too_large',
  }),
  ...overBoth('HEAD without a key', { method: 'HEAD', key: [] }, { seen: '401' }),
  ...overBoth(
    'OPTIONS without a key',
    {
      method: 'OPTIONS',
      key: [
        ['Origin', 'https://a'],
        ['Access-Control-Request-Method', 'GET'],
      ],
    },
    { seen: '401 missing_api_key' },
  ),
  ...overBoth('HEAD', { method: 'HEAD', headers: [['X-Organization-ID', 'evil']] }, { seen: '200' }),
  ...overBoth('TRACE', { method: 'TRACE', headers: [['X-Organization-ID', 'evil']] }, { seen: '200' }),
  ...overBoth('TRACE without a key', { method: 'TRACE', key: [] }, { seen: '401 missing_api_key' }),
  overHttp1('CONNECT', { method: 'CONNECT', path: 'evil.example:443' }, { seen: '404 route_not_found' }),
  frames(
    'CONNECT',
    {
      headers: [
        [':method', 'CONNECT'],
        [':authority', 'evil.example:443'],
        ['x-api-key', '{own}'],
      ],
      data: 'hi',
    },
    { seen: '404 route_not_found' },
  ),
  overHttp1(
    'a websocket with a forged identity',
    {
      headers: [
        ['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
        ['Sec-WebSocket-Key', 'x3JJHMbDL1EzLkh9GBhXDw=='],
        ['Sec-WebSocket-Version', '13'],
        ['X-Organization-ID', 'evil'],
      ],
    },
    { seen: '101' },
  ),
  overHttp1(
    'a websocket without a key',
    {
      key: [],
      headers: [
        ['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
        ['X-Organization-ID', 'evil'],
      ],
    },
    { seen: '401 missing_api_key' },
  ),
  overHttp1(
    'an upgrade to HTTP/2',
    {
      headers: [
        ['Connection', 'Upgrade, HTTP2-Settings, close'],
        ['Upgrade', 'h2c'],
        ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
        ['X-Organization-ID', 'evil'],
      ],
    },
    { seen: '200', upstream: { headers: { upgrade: null, 'http2-settings': null } } },
  ),
  overHttp1(
    'an upgrade to something else',
    {
      headers: [
        ['Connection', 'Upgrade'],
        ['Upgrade', 'evil'],
      ],
    },
    { seen: '403 bad_request' },
  ),
  frames(
    'a websocket with a forged identity',
    {
      headers: [
        [':method', 'CONNECT'],
        [':protocol', 'websocket'],
        [':path', '/x'],
        [':scheme', 'http'],
        [':authority', 'a'],
        ['x-api-key', '{own}'],
        ['x-organization-id', 'evil'],
      ],
      data: '',
    },
    { seen: 'refused' },
  ),
  overHttp1(
    'Expect: 100-continue with a forged identity',
    {
      method: 'POST',
      body: 'hi',
      headers: [
        ['Expect', '100-continue'],
        ['X-Plan-Tier', 'evil'],
      ],
    },
    { seen: '100, 200', reached: 1 },
  ),
  ...(
    [
      ['a name in capitals', [['X-Organization-ID', 'evil']], 'refused'],
      ['the key under a name in capitals', [['X-API-KEY', '{own}']], 'refused'],
      ['a connection header', [['connection', 'x-organization-id']], 'refused'],
      ['a transfer encoding', [['transfer-encoding', 'chunked']], 'refused'],
      ['an upgrade', [['upgrade', 'h2c']], 'refused'],
      ['TE other than trailers', [['te', 'gzip']], 'refused'],
      ['a value with a line end', [['x-a', 'b\r\nx-organization-id: evil']], 'refused'],
      ['a value with a line feed', [['x-a', 'b\nx-organization-id: evil']], 'refused'],
      ['a name with a line end', [['x-a: b\r\nx-organization-id', 'evil']], 'refused'],
      ['a name with a colon', [['x-organization-id:', 'evil']], 'refused'],
      ['a name with a blank', [['x-organization-id ', 'evil']], 'refused'],
      ['an empty name', [['', 'evil']], 'refused'],
      ['a value with blanks around', [['x-organization-id', ' evil ']], '200'],
      ['a length that the body does not have', [['content-length', '3']], 'refused'],
      [
        'two lengths',
        [
          ['content-length', '2'],
          ['content-length', '3'],
        ],
        'refused',
      ],
    ] as const
  ).map(([title, more, seen]) =>
    frames(
      title,
      {
        headers: [
          [':method', 'POST'],
          [':path', '/x'],
          [':scheme', 'http'],
          [':authority', 'a'],
          ['x-api-key', '{own}'],
          ...more,
        ],
        data: 'hi',
      },
      { seen },
    ),
  ),
  frames(
    'a key that is parted by a CONTINUATION',
    {
      headers: [
        [':method', 'GET'],
        [':path', '/x'],
        [':scheme', 'http'],
        [':authority', 'a'],
        ['x-api-key', '{own}'],
      ],
      areSplit: true,
    },
    { seen: '200' },
  ),
  frames(
    'pseudo headers in trailers',
    {
      headers: [
        [':method', 'POST'],
        [':path', '/x'],
        [':scheme', 'http'],
        [':authority', 'a'],
        ['x-api-key', '{own}'],
      ],
      data: 'hi',
      trailers: [[':path', '/evil']],
    },
    { seen: 'refused' },
  ),
];

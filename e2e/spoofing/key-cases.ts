import { bytes, type Fields, frames, overBoth, overHttp1, overHttp2, refused, type SpoofingCase } from './spoofing-case.js';

const MISSING = { seen: '401 missing_api_key' };
const MALFORMED = { seen: '401 malformed_api_key' };
const GOOD = { seen: '200' };
const GIVEN_AWAY = { seen: '200', givesKeyAway: true } as const;

type Row = readonly [title: string, key: Fields, expected: Pick<SpoofingCase, 'seen' | 'givesKeyAway' | 'upstream' | 'as'>];

/** What is sent in place of one key in X-API-Key. */
const HEADERS: readonly Row[] = [
  ['no key', [], MISSING],
  [
    'two keys in two X-API-Key',
    [
      ['X-API-Key', '{own}'],
      ['X-API-Key', '{other}'],
    ],
    MALFORMED,
  ],
  [
    'the same key in two X-API-Key',
    [
      ['X-API-Key', '{own}'],
      ['x-api-key', '{own}'],
    ],
    MALFORMED,
  ],
  ['two keys in one X-API-Key', [['X-API-Key', '{own},{other}']], MALFORMED],
  ['two keys parted by a comma and a blank', [['X-API-Key', '{own}, {own}']], MALFORMED],
  ['two keys parted by a blank', [['X-API-Key', '{own} {other}']], MALFORMED],
  ['two keys parted by a semicolon', [['X-API-Key', '{own};{other}']], MALFORMED],
  [
    'the same key in both headers',
    [
      ['X-API-Key', '{own}'],
      ['Authorization', 'Bearer {own}'],
    ],
    GOOD,
  ],
  [
    'two keys in both headers',
    [
      ['X-API-Key', '{own}'],
      ['Authorization', 'Bearer {other}'],
    ],
    MALFORMED,
  ],
  [
    'a key and an unknown one in both headers',
    [
      ['X-API-Key', '{own}'],
      ['Authorization', 'Bearer {unknown}'],
    ],
    MALFORMED,
  ],
  [
    'a key behind a token of the customer',
    [
      ['Authorization', 'Bearer abc, Bearer {own}'],
      ['X-API-Key', '{own}'],
    ],
    MALFORMED,
  ],
  ['an empty X-API-Key', [['X-API-Key', '']], MISSING],
  [
    'an empty X-API-Key beside a good one',
    [
      ['X-API-Key', ''],
      ['X-API-Key', '{own}'],
    ],
    MALFORMED,
  ],
  [
    'an empty X-API-Key beside a good Bearer',
    [
      ['X-API-Key', ''],
      ['Authorization', 'Bearer {own}'],
    ],
    GOOD,
  ],
  ['bearer in small letters', [['Authorization', 'bearer {own}']], GOOD],
  ['BEARER in capitals', [['Authorization', 'BEARER {own}']], GOOD],
  ['a tab behind Bearer', [['Authorization', 'Bearer\t{own}']], GOOD],
  ['blanks behind Bearer', [['Authorization', 'Bearer    {own}']], GOOD],
  ['Authorization without Bearer', [['Authorization', '{own}']], GOOD],
  ['Bearer in X-API-Key', [['X-API-Key', 'Bearer {own}']], MALFORMED],
  ['Bearer twice', [['Authorization', 'Bearer Bearer {own}']], MISSING],
  ['Bearer without anything', [['Authorization', 'Bearer ']], MISSING],
  ['a key in quotes', [['X-API-Key', '"{own}"']], MALFORMED],
  ['a key in percent escapes', [['X-API-Key', '%73k_live_0']], MALFORMED],
  ['a key with something behind', [['X-API-Key', '{own}0']], MALFORMED],
  ['a key that is cut', [['X-API-Key', 'sk_live_00000000000']], MALFORMED],
  ['a key in capitals', [['X-API-Key', 'SK_LIVE_0123456789ABCDEFGHIJKLMNOPQRSTUV']], MALFORMED],
  ['a key of 10 kB', [['X-API-Key', `sk_live_${'a'.repeat(10_000)}`]], MALFORMED],
  ['a Bearer of 10 kB', [['Authorization', `Bearer sk_live_${'a'.repeat(10_000)}`]], MALFORMED],
  ['a key beyond ASCII', [['X-API-Key', 'sk_live_\u00fc\u00df\u00e9\u00ff\u00fe\u00c3(']], MALFORMED],
  ['a key that was never made', [['X-API-Key', '{unknown}']], { seen: '403 invalid_api_key' }],
  [
    'a key under another name',
    [
      ['Api-Key', '{own}'],
      ['X-API-Token', '{own}'],
      ['X-Auth-Token', '{own}'],
    ],
    MISSING,
  ],
  ['a key in Cookie', [['Cookie', 'x-api-key={own}; api_key={own}']], MISSING],
  ['a key in Proxy-Authorization', [['Proxy-Authorization', 'Bearer {own}']], MISSING],
  ['a key in Basic', [['Authorization', 'Basic {own}']], MISSING],
  ['a key in Referer', [['Referer', 'https://a.example/?api_key={own}']], MISSING],
  [
    'a name that begins like X-API-Key',
    [
      ['X-API-Key2', '{own}'],
      ['X-API-Keys', '{own}'],
    ],
    MISSING,
  ],
  // What a caller writes elsewhere is between it and the upstream: it arrives there, and nowhere else.
  [
    'a good key, and again in Cookie',
    [
      ['X-API-Key', '{own}'],
      ['Cookie', 'k={own}'],
    ],
    GIVEN_AWAY,
  ],
  [
    'a good key, and again in its own request id',
    [
      ['X-API-Key', '{own}'],
      ['X-Request-ID', '{own}'],
    ],
    GIVEN_AWAY,
  ],
  [
    'a good key, and again as a token of another scheme',
    [
      ['X-API-Key', '{own}'],
      ['Authorization', 'Token {own}'],
    ],
    GIVEN_AWAY,
  ],
  [
    'a good key, and again in Referer and User-Agent',
    [
      ['X-API-Key', '{own}'],
      ['Referer', 'https://a/{own}'],
      ['User-Agent', '{own}'],
    ],
    GIVEN_AWAY,
  ],
];

const REPEATED: readonly (readonly [title: string, key: Fields])[] = [
  [
    'two Authorization',
    [
      ['Authorization', 'Bearer {own}'],
      ['Authorization', 'Bearer {other}'],
    ],
  ],
  [
    'the same Authorization twice',
    [
      ['Authorization', 'Bearer {own}'],
      ['Authorization', 'Bearer {own}'],
    ],
  ],
  [
    'a key in a second Authorization',
    [
      ['X-API-Key', '{own}'],
      ['Authorization', 'Basic abc'],
      ['Authorization', 'Bearer {own}'],
    ],
  ],
];

const GET: Fields = [
  [':method', 'GET'],
  [':path', '/x'],
  [':scheme', 'http'],
  [':authority', 'a'],
];

export const KEY_CASES: readonly SpoofingCase[] = [
  ...HEADERS.flatMap(([title, key, expected]) => overBoth(title, { key }, expected)),
  ...['api_key', 'x-api-key', 'key', 'access_token', 'authorization'].flatMap((name) =>
    overBoth(`a key in the query as ${name}`, { key: [], path: `/x?${name}={own}` }, MISSING),
  ),
  ...overBoth('a good key, and again in the query', { path: '/x?api_key={own}&a=1' }, GIVEN_AWAY),
  ...overBoth('a key in the path alone', { key: [], path: '/{own}' }, MISSING),
  ...overBoth(
    'a key in trailers alone',
    {
      key: [],
      method: 'POST',
      body: 'hi',
      trailers: [
        ['X-API-Key', '{own}'],
        ['Authorization', 'Bearer {own}'],
      ],
    },
    MISSING,
  ),
  ...overBoth(
    'a good key, and again in trailers',
    {
      method: 'POST',
      body: 'hi',
      trailers: [
        ['X-API-Key', '{own}'],
        ['Authorization', 'Bearer {own}'],
      ],
    },
    GOOD,
  ),
  ...REPEATED.flatMap(([title, key]) => [
    overHttp1(title, { key }, MALFORMED),
    // Node's own client sends Authorization once.
    frames(title, { headers: [...GET, ...key.map(([name, value]) => [name.toLowerCase(), value] as const)] }, MALFORMED),
  ]),
  overHttp1('blanks and tabs around the key', { key: [['X-API-Key', ' \t{own}\t ']] }, GOOD),
  overHttp2('blanks and tabs around the key', { key: [['X-API-Key', ' \t{own}\t ']] }, MALFORMED),
  ...refused('a key under a name with underscores', { key: [['x_api_key', '{own}']] }),
  overHttp1('a key named in Connection', { headers: [['Connection', 'close, X-API-Key, Authorization']] }, MISSING),
  bytes('a NUL in the key', 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: {own}\0\r\n\r\n', {
    seen: '400 bad_request',
  }),
  frames(
    'a NUL in the key',
    {
      headers: [
        [':method', 'GET'],
        [':path', '/x'],
        [':scheme', 'http'],
        [':authority', 'a'],
        ['x-api-key', '{own}\0'],
      ],
    },
    { seen: 'refused' },
  ),
  bytes('a key behind an obsolete fold', 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key:\r\n {own}\r\n\r\n', GOOD),
  bytes(
    'two keys in one folded header',
    'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: {own}\r\n\t{other}\r\n\r\n',
    MALFORMED,
  ),
];

import { bytes, frames, overBoth, overHttp1, refused, type SpoofingCase } from './spoofing-case.js';

/** Names of our identity, and of what Envoy tells upstreams, in requests that are good otherwise. */
const FORGED: readonly (readonly [what: string, headers: readonly (readonly [string, string])[]])[] = [
  ['the organization', [['X-Organization-ID', 'evil']]],
  ['the organization in capitals', [['X-ORGANIZATION-ID', 'evil']]],
  [
    'the organization twice',
    [
      ['X-Organization-ID', 'evil'],
      ['x-organization-id', 'evil-2'],
    ],
  ],
  ['the organization as a list', [['X-Organization-ID', 'evil, evil-2']]],
  ['an empty organization', [['X-Organization-ID', '']]],
  ['the id of the key', [['X-API-Key-ID', 'evil']]],
  ['the plan', [['X-Plan-Tier', 'enterprise-evil']]],
  [
    'the plan twice',
    [
      ['X-Plan-Tier', 'evil'],
      ['X-Plan-Tier', 'evil'],
    ],
  ],
  [
    'all of the identity',
    [
      ['X-Organization-ID', 'evil'],
      ['X-API-Key-ID', 'evil'],
      ['X-Plan-Tier', 'evil'],
    ],
  ],
  ['a reserved name', [['X-Tollgate-Organization', 'evil']]],
  [
    'a reserved name in capitals',
    [
      ['X-TOLLGATE-SCOPES', 'evil'],
      ['x-tollgate-', 'evil'],
    ],
  ],
];

/** What only Envoy says: none of it may reach the upstream as the caller wrote it. */
const ENVOY_HEADERS = [
  'x-envoy-original-path',
  'x-envoy-decorator-operation',
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-expected-rq-timeout-ms',
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-max-retries',
  'x-envoy-force-trace',
  'x-envoy-internal',
  'x-envoy-external-address',
  'x-envoy-ip-tags',
  'x-envoy-hedge-on-per-try-timeout',
  'x-envoy-peer-metadata',
  'x-envoy-auth-partial-body',
  'x-envoy-attempt-count',
  'x-envoy-original-host',
  'x-envoy-downstream-service-cluster',
] as const;

export const IDENTITY_CASES: readonly SpoofingCase[] = [
  ...FORGED.flatMap(([what, headers]) => overBoth(`${what} is ours`, { headers }, { seen: '200' })),
  ...['x_organization_id', 'X_API_Key_ID', 'x-plan_tier', 'x_request_id', 'x_tollgate_plan', 'x_forwarded_for'].flatMap((name) =>
    refused(`${name} with underscores`, { headers: [[name, 'evil']] }),
  ),
  ...overBoth(
    'a forged identity in trailers is not passed on',
    {
      method: 'POST',
      body: 'hi',
      trailers: [
        ['X-Organization-ID', 'evil'],
        ['X-Plan-Tier', 'evil'],
        ['X-Tollgate-A', 'evil'],
      ],
    },
    { seen: '200' },
  ),
  overHttp1(
    'an identity named in Connection is ours all the same',
    {
      headers: [
        ['Connection', 'close, X-Organization-ID, X-API-Key-ID, X-Plan-Tier, X-Request-ID'],
        ['X-Plan-Tier', 'evil'],
      ],
    },
    { seen: '200' },
  ),
  overHttp1(
    'an identity named in Proxy-Connection and Keep-Alive is ours all the same',
    {
      headers: [
        ['Proxy-Connection', 'X-Organization-ID'],
        ['Keep-Alive', 'X-Organization-ID'],
      ],
    },
    { seen: '200' },
  ),
  ...overBoth(
    "the caller's request id arrives as X-Client-Request-ID",
    { headers: [['X-Request-ID', 'evil-id']] },
    { seen: '200', upstream: { headers: { 'x-client-request-id': 'evil-id' } } },
  ),
  ...overBoth(
    "two request ids of the caller's are none of ours",
    {
      headers: [
        ['X-Request-ID', 'evil-1'],
        ['X-Request-ID', 'evil-2'],
      ],
    },
    { seen: '200', upstream: { headers: { 'x-client-request-id': /^evil-1(,evil-2)?$/ } } },
  ),
  ...overBoth(
    'a forged X-Client-Request-ID is gone',
    { headers: [['X-Client-Request-ID', 'evil']] },
    { seen: '200', upstream: { headers: { 'x-client-request-id': null } } },
  ),
  ...ENVOY_HEADERS.flatMap((name) =>
    overBoth(
      `${name} is not the caller's to say`,
      { headers: [[name, '/evil-7']] },
      { seen: '200', upstream: { headers: { [name]: /^(?!.*evil)/ } } },
    ),
  ),
  ...overBoth(
    'X-Forwarded-For ends with the address of the connection',
    {
      headers: [
        ['X-Forwarded-For', '10.0.0.1'],
        ['X-Forwarded-For', '127.0.0.1'],
      ],
    },
    {
      seen: '200',
      upstream: { headers: { 'x-forwarded-for': /^10\.0\.0\.1,127\.0\.0\.1,[0-9a-f.:]+$/, 'x-envoy-internal': null } },
    },
  ),
  ...overBoth(
    'an X-Forwarded-For of its own makes nobody internal',
    {
      headers: [
        ['X-Forwarded-For', '192.168.0.1'],
        ['X-Envoy-Internal', 'true'],
        ['X-Organization-ID', 'evil'],
      ],
    },
    { seen: '200', upstream: { headers: { 'x-envoy-internal': null } } },
  ),
  ...overBoth(
    'X-Forwarded-Proto tells how the caller connected',
    { headers: [['X-Forwarded-Proto', 'https']] },
    { seen: '200', upstream: { headers: { 'x-forwarded-proto': 'http' } } },
  ),
  ...overBoth(
    'X-Forwarded-Host, X-Forwarded-Port and X-Forwarded-Prefix cannot be forged',
    {
      headers: [
        ['X-Forwarded-Host', 'evil'],
        ['X-Forwarded-Port', '666'],
        ['X-Forwarded-Prefix', '/evil'],
      ],
    },
    { seen: '200', upstream: { headers: { 'x-forwarded-host': null, 'x-forwarded-port': null, 'x-forwarded-prefix': null } } },
  ),
  ...overBoth(
    'what a caller says of its address by other names arrives as it said it: nobody may believe it',
    {
      headers: [
        ['X-Real-IP', '10.9.9.9'],
        ['Forwarded', 'for=10.9.9.9;host=evil'],
        ['True-Client-IP', '10.9.9.9'],
      ],
    },
    { seen: '200', upstream: { headers: { 'x-real-ip': '10.9.9.9', forwarded: 'for=10.9.9.9;host=evil' } } },
  ),
  frames(
    'a forged identity between pseudo headers does not pass',
    {
      headers: [
        [':method', 'GET'],
        ['x-organization-id', 'evil'],
        [':path', '/x'],
        [':scheme', 'http'],
        [':authority', 'a'],
        ['x-api-key', '{own}'],
      ],
    },
    { seen: 'refused' },
  ),
  bytes(
    'a forged identity behind an obsolete fold is part of the value before',
    'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-API-Key: {own}\r\nX-A: b\r\n X-Organization-ID: evil\r\n\r\n',
    { seen: '200' },
  ),
];

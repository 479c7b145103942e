import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bytes,
  describeSettings,
  durationMs,
  field,
  flag,
  headers,
  integer,
  list,
  listenAddress,
  oneOf,
  readSettings,
  SettingsError,
  type SettingValue,
  type Shape,
  secretField,
  share,
  text,
  url,
} from '@tollgate/service-kit/settings';
import { TRACING_SETTINGS } from '@tollgate/service-kit/tracing-settings';
import { afterAll, expect, expectTypeOf, test } from 'vitest';
import { CANARY_KEY, CANARY_URL, hasCanary } from './canaries.js';

const folder = mkdtempSync(join(tmpdir(), 'tollgate-settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SHAPE = {
  listen: field('AUTHZ_LISTEN', listenAddress(), { default: '127.0.0.1:50051', describe: 'Where Envoy asks.' }),
  databaseUrl: secretField('DATABASE_URL', url('postgres', 'postgresql'), { describe: 'PostgreSQL with keys.' }),
  redisUrl: secretField('REDIS_URL', url('redis', 'rediss'), { optional: true }),
  ttlMs: field('TTL', durationMs(), { default: '15m' }),
  isOpen: field('ALLOW_PLAINTEXT', flag(), { default: 'false' }),
};

function problemsOf(shape: Shape, env: Record<string, string>): readonly string[] {
  try {
    readSettings(shape, env);
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError);
    return (error as SettingsError).problems;
  }
  return [];
}

test('settings are read by our names, with defaults and types', () => {
  const settings = readSettings(SHAPE, { DATABASE_URL: ' postgres://h/db ', AUTHZ_LISTEN: '', ALLOW_PLAINTEXT: 'true' });
  expect(settings).toEqual({
    listen: { kind: 'tcp', host: '127.0.0.1', port: 50051 },
    databaseUrl: 'postgres://h/db',
    redisUrl: undefined,
    ttlMs: 900_000,
    isOpen: true,
  });
  expectTypeOf(settings.databaseUrl).toEqualTypeOf<string>();
  expectTypeOf(settings.redisUrl).toEqualTypeOf<string | undefined>();
  expectTypeOf(settings.ttlMs).toEqualTypeOf<number>();
});

test('every mistake is told at once, by name, with the next step', () => {
  const env = { AUTHZ_LISTEN: '50051', REDIS_URL: 'http://h', TTL: '15', ALLOW_PLAINTEXT: 'yes' };
  expect(problemsOf(SHAPE, env)).toEqual([
    'AUTHZ_LISTEN must be host:port, [IPv6]:port or unix:/absolute/path of at most 103 bytes; 0.0.0.0 listens everywhere, not "50051".',
    'DATABASE_URL is required (PostgreSQL with keys): set DATABASE_URL or DATABASE_URL_FILE.',
    'REDIS_URL must be a URL that begins with redis:// or rediss://.',
    'TTL needs a unit: durations carry a unit, such as 200ms, 15s, 10m or 1h, not "15".',
    'ALLOW_PLAINTEXT must be true or false, not "yes".',
  ]);
  const error = new SettingsError(problemsOf(SHAPE, env));
  expect(error.exitCode).toBe(78);
  for (const name of Object.keys(env)) expect(error.message).toContain(name);
});

test('a secret may come from a file, whose blanks around it do not count', () => {
  const path = join(folder, 'url');
  writeFileSync(path, ' postgres://h/db\n');
  expect(readSettings(SHAPE, { DATABASE_URL_FILE: path }).databaseUrl).toBe('postgres://h/db');
});

test('a file twin is read for secrets only', () => {
  expect(readSettings(SHAPE, { DATABASE_URL: 'postgres://h', TTL_FILE: '/nowhere' }).ttlMs).toBe(900_000);
});

test('a secret given twice, from no file, and from an empty file are mistakes', () => {
  const empty = join(folder, 'empty');
  writeFileSync(empty, '\n');
  const problem = (env: Record<string, string>) => problemsOf(SHAPE, env)[0];
  expect(problem({ DATABASE_URL: 'postgres://h', DATABASE_URL_FILE: empty })).toBe(
    'DATABASE_URL and DATABASE_URL_FILE are both set: keep one of them.',
  );
  expect(problem({ DATABASE_URL_FILE: join(folder, 'none') })).toContain(
    'DATABASE_URL_FILE names a file that cannot be read (ENOENT)',
  );
  expect(problem({ DATABASE_URL_FILE: folder })).toContain('(EISDIR)');
  expect(problem({ DATABASE_URL_FILE: empty })).toContain('DATABASE_URL_FILE names an empty file');
});

test('no mistake prints a secret, even one in the wrong variable', () => {
  for (const env of [
    { DATABASE_URL: CANARY_URL.replace('postgres', 'mysql') },
    { DATABASE_URL_FILE: CANARY_URL },
    { DATABASE_URL: 'postgres://h', TTL: CANARY_KEY, AUTHZ_LISTEN: CANARY_URL },
  ]) {
    const told = problemsOf(SHAPE, env as Record<string, string>).join('\n');
    expect(told).not.toBe('');
    expect(hasCanary(told)).toBe(false);
  }
});

test('a wrong default is found when the program is written, not when it runs elsewhere', () => {
  expect(() => field('TTL', durationMs(), { default: '15' })).toThrow();
});

test('a shape describes itself for help and documentation', () => {
  expect(describeSettings(SHAPE).slice(0, 3)).toEqual([
    {
      ...{ name: 'AUTHZ_LISTEN', default: '127.0.0.1:50051', isRequired: false, secret: false },
      ...{ kind: 'host:port or unix:/path', description: 'Where Envoy asks.' },
    },
    {
      ...{ name: 'DATABASE_URL', default: undefined, isRequired: true, secret: true },
      ...{ kind: 'postgres://… or postgresql://…', description: 'PostgreSQL with keys.' },
    },
    { name: 'REDIS_URL', default: undefined, isRequired: false, secret: true, kind: 'redis://… or rediss://…', description: '' },
  ]);
});

test.each([
  [durationMs(), 'duration'],
  [durationMs({ minMs: 1 }), 'duration, at least 1ms'],
  [durationMs({ minMs: 100, maxMs: 60_000 }), 'duration, 100ms to 1m'],
  [bytes({ min: 1 << 20 }), 'size, at least 1MiB'],
  [integer({ min: 0, max: 65_535 }), 'whole number, 0 to 65535'],
  [oneOf('redis', 'memory'), 'redis, memory'],
])('a setting says what it may be: %#', (value, kind) => {
  expect(value.description).toBe(kind);
});

test.each<[string, SettingValue<unknown>, Record<string, unknown>, string[]]>([
  [
    'durationMs',
    durationMs(),
    { '0s': 0, '200ms': 200, '15s': 15_000, '10m': 600_000, '1h': 3_600_000 },
    ['15', '1.5s', '-1s', '1d', '5 s', '1h30m', '600h', 's'],
  ],
  ['durationMs in a range', durationMs({ minMs: 10, maxMs: 1000 }), { '10ms': 10, '1s': 1000 }, ['9ms', '2s']],
  [
    'bytes',
    bytes({ max: 1024 ** 3 }),
    { '1B': 1, '2KiB': 2048, '4MiB': 4_194_304, '1GiB': 1024 ** 3 },
    ['4', '4MB', '4 MiB', '2GiB', '-1B'],
  ],
  ['integer', integer({ min: -1, max: 10 }), { '-1': -1, '0': 0, '10': 10 }, ['11', '1.0', '1e1', '0x1', 'one', '-2']],
  ['integer without a range', integer(), { '9007199254740991': 9_007_199_254_740_991 }, ['9007199254740993']],
  ['flag', flag(), { true: true, false: false }, ['1', '0', 'TRUE', 'yes', 'on']],
  ['oneOf', oneOf('local', 'allow'), { local: 'local', allow: 'allow' }, ['Local', 'deny']],
  ['url', url('https'), { 'https://h/x': 'https://h/x' }, ['http://h', 'h', 'https:', 'https://']],
  ['url of any scheme', url(), { 'redis://h': 'redis://h' }, ['localhost:6379', 'nothing']],
  ['list', list(), { 'a, b,,c ': ['a', 'b', 'c'], a: ['a'] }, [',', ' , ']],
  ['text', text(), { 'any thing': 'any thing' }, []],
])('%s takes what it says and nothing else', (_name, value, good, bad) => {
  for (const [given, expected] of Object.entries(good)) expect(value.parse(given)).toEqual(expected);
  for (const given of bad) expect(value.safeParse(given).success, given).toBe(false);
});

test.each([
  ['authorization=Bearer%20abc', { authorization: 'Bearer abc' }],
  ['X-Token = a%3Db , other=c=d', { 'x-token': 'a=b', other: 'c=d' }],
])('headers are read as OpenTelemetry writes them: %s', (given, read) => {
  expect(headers().parse(given)).toEqual(read);
});

test.each(['no-value', 'a=', '=b', 'a b=c', 'a=b,', 'a=%0d%0Ab', 'a=%zz', 'a=%C3%A4'])('%s is no header', (given) => {
  expect(headers().safeParse(given).success).toBe(false);
});

test('a share is a number from 0 to 1', () => {
  for (const [given, read] of [
    ['0', 0],
    ['1', 1],
    ['0.05', 0.05],
    ['1.0', 1],
  ] as const)
    expect(share().parse(given)).toBe(read);
  for (const given of ['1.1', '-1', '.5', '5%', '1e-3', '']) expect(share().safeParse(given).success).toBe(false);
});

test('the address of a collector holds no secret, and its headers are never told', () => {
  const of = (endpoint: string) => problemsOf(TRACING_SETTINGS, { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
  expect(of('http://collector:4318')).toEqual([]);
  expect(of('https://otlp.example.com/otlp')).toEqual([]);
  for (const endpoint of ['https://user:c4n4ry-pass@h', 'https://h/?key=1', 'https://h/#x', 'grpc://h', 'collector:4318'])
    expect(of(endpoint)).toHaveLength(1);
  expect(hasCanary(of('https://user:c4n4ry-pass@h').join())).toBe(false);
  expect(hasCanary(problemsOf(TRACING_SETTINGS, { OTEL_EXPORTER_OTLP_HEADERS: 'c4n4ry-pass' }).join())).toBe(false);
});

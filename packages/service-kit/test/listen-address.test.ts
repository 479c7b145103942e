import { formatListenAddress, isLocal, type ListenAddress, parseListenAddress } from '@tollgate/service-kit/listen-address';
import { expect, test } from 'vitest';

test.each<[string, ListenAddress]>([
  ['127.0.0.1:50051', { kind: 'tcp', host: '127.0.0.1', port: 50051 }],
  ['localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
  ['[::1]:80', { kind: 'tcp', host: '::1', port: 80 }],
  ['unix:/run/tollgate/authz.sock', { kind: 'unix', path: '/run/tollgate/authz.sock' }],
])('%s is read and written back', (text, listen) => {
  expect(parseListenAddress(text)).toEqual(listen);
  expect(formatListenAddress(listen)).toBe(text);
});

test('unix:///path is the same as unix:/path', () => {
  expect(parseListenAddress('unix:///run/a.sock')).toEqual({ kind: 'unix', path: '/run/a.sock' });
});

test.each([
  '50051',
  ':50051',
  '127.0.0.1',
  '127.0.0.1:',
  '127.0.0.1:65536',
  '127.0.0.1:-1',
  '::1:80',
  '[127.0.0.1]:80',
  '[::1]',
  'http://127.0.0.1:80',
  'a b:80',
  'unix:relative',
  'unix:',
  'unix:/',
  'unix://host/path',
  `unix:/${'x'.repeat(103)}`,
  '',
])('%j is no address', (text) => {
  expect(parseListenAddress(text)).toBeUndefined();
});

test.each([
  ['127.0.0.1:1', true],
  ['127.255.255.254:1', true],
  ['[::1]:1', true],
  ['[0:0:0:0:0:0:0:1]:1', true],
  ['localhost:1', true],
  ['LOCALHOST:1', true],
  ['unix:/x', true],
  ['0.0.0.0:1', false],
  ['[::]:1', false],
  ['10.0.0.1:1', false],
  ['128.0.0.1:1', false],
  ['127.0.0.1.example.com:1', false],
  ['127.1:1', false],
  ['localhost.example.com:1', false],
])('%s: only this machine reaches it: %s', (text, expected) => {
  expect(isLocal(parseListenAddress(text) as ListenAddress)).toBe(expected);
});

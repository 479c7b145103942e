import { expect, test } from 'vitest';
import { hostOf, mastersBySlot, parseRedirection } from '../../src/redis/slot-map.js';

test('each slot has its master; a node that does not know its address is where it was asked', () => {
  const masters = mastersBySlot(
    [
      [0, 1, ['10.0.0.1', 7000, 'id', []], ['10.0.0.2', 7000, 'id', []]],
      [4, 5, ['', 7001]],
      [2, 2, [null, 7002]],
      [6, 6, ['?', 7003]],
    ],
    'seed',
  );
  expect(masters).toEqual(['10.0.0.1:7000', '10.0.0.1:7000', 'seed:7002', undefined, 'seed:7001', 'seed:7001']);
});

test.for([
  ['MOVED 3999 127.0.0.1:6381', { kind: 'MOVED', slot: 3999, to: '127.0.0.1:6381' }],
  ['ASK 0 node-2:6381', { kind: 'ASK', slot: 0, to: 'node-2:6381' }],
  ['MOVED 5 :6381', { kind: 'MOVED', slot: 5, to: 'seed:6381' }],
  ['MOVED 5 ::1:6381', { kind: 'MOVED', slot: 5, to: '::1:6381' }],
  ['MOVED', undefined],
  ['READONLY You can not', undefined],
  ['MOVED __proto__ a:1', undefined],
] as const)('%s', ([message, redirection]) => {
  expect(parseRedirection(new Error(message), 'seed')).toEqual(redirection);
});

test('a name of a node leads to its host and port, IPv6 too', () => {
  expect([hostOf('a:1'), hostOf('::1:6379')]).toEqual([
    { host: 'a', port: 1 },
    { host: '::1', port: 6379 },
  ]);
});

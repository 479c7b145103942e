import { describe, expect, test } from 'vitest';
import { parseRedisAddress } from '../src/redis-address.js';

const host = (name: string, port: number) => ({ host: name, port });

describe('an address of Redis', () => {
  test.for([
    ['redis://cache', { kind: 'single', hosts: [host('cache', 6379)], isTls: false, database: 0 }],
    ['redis://cache/', { kind: 'single', hosts: [host('cache', 6379)], isTls: false, database: 0 }],
    ['rediss://cache:7000/3', { kind: 'single', hosts: [host('cache', 7000)], isTls: true, database: 3 }],
    ['redis://[::1]:7000', { kind: 'single', hosts: [host('::1', 7000)], isTls: false, database: 0 }],
    [
      'redis://limiter:p%40ss%3Aword@cache',
      {
        ...{ kind: 'single', hosts: [host('cache', 6379)], isTls: false, database: 0 },
        ...{ username: 'limiter', password: 'p@ss:word' },
      },
    ],
    ['redis://:secret@cache', { kind: 'single', hosts: [host('cache', 6379)], isTls: false, database: 0, password: 'secret' }],
    [
      'redis+sentinel://a,b:26380/limits/2',
      { kind: 'sentinel', masterName: 'limits', hosts: [host('a', 26_379), host('b', 26_380)], isTls: false, database: 2 },
    ],
    ['rediss+cluster://a:1,b:2', { kind: 'cluster', hosts: [host('a', 1), host('b', 2)], isTls: true, database: 0 }],
  ] as const)('%s', ([text, address]) => {
    expect(parseRedisAddress(text)).toEqual(address);
  });

  test.for([
    ['http://hunter2', 'must be such as'],
    ['redis+ring://hunter2', 'must be such as'],
    ['redis://hunter2?family=4', 'must be such as'],
    ['redis://', 'a host that is not'],
    ['redis://hunter2:0', 'a host that is not'],
    ['redis://hunter2:65536', 'a host that is not'],
    ['redis://hunter2,other', 'redis+sentinel:// or redis+cluster://'],
    ['redis://hunter2/one', 'not a number'],
    ['redis://:%hunter2@cache', 'write % as %25'],
    ['redis+sentinel://hunter2:26379', 'name of the master'],
    ['redis+sentinel://hunter2/limits/x', 'not a number'],
    ['redis+cluster://hunter2/0', 'no numbered databases'],
  ] as const)('%s is refused, with what it must be and nothing of itself', ([text, words]) => {
    expect(() => parseRedisAddress(text)).toThrow(words);
    expect(() => parseRedisAddress(text)).not.toThrow('hunter2');
  });
});

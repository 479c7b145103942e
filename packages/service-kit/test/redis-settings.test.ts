import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { REDIS_SETTINGS, redisServer } from '../src/redis-settings.js';
import { readSettings } from '../src/settings.js';

const server = (env: Record<string, string>) => redisServer(readSettings(REDIS_SETTINGS, env));

test('without an address there is no Redis; with one, all that a client needs', async () => {
  expect(server({})).toBeUndefined();
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-redis-settings-'));
  const file = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const found = server({
    REDIS_URL: 'rediss+sentinel://a,b/limits',
    REDIS_PASSWORD_FILE: await file('password', 'right-horse\n'),
    REDIS_SENTINEL_USERNAME: 'watcher',
    REDIS_SENTINEL_PASSWORD: 'other-horse',
    REDIS_TLS_CA_FILE: await file('ca', 'the CA'),
    REDIS_TLS_CERT_FILE: await file('cert', 'the certificate'),
    REDIS_TLS_KEY_FILE: await file('key', 'the key'),
  });
  expect(found).toEqual({
    url: 'rediss+sentinel://a,b/limits',
    password: 'right-horse',
    sentinelUsername: 'watcher',
    sentinelPassword: 'other-horse',
    tls: { ca: 'the CA', cert: 'the certificate', key: 'the key' },
  });
});

test.for([
  [{ REDIS_URL: 'redis://:hunter2@ho st' }, 'REDIS_URL holds a host that is not'],
  [{ REDIS_URL: 'redis://a', REDIS_TLS_CA_FILE: import.meta.filename }, 'begin it with rediss'],
  [{ REDIS_URL: 'rediss://a', REDIS_TLS_CA_FILE: '/nowhere/ca.pem' }, 'REDIS_TLS_CA_FILE cannot be read (ENOENT)'],
  [{ REDIS_URL: 'rediss://a', REDIS_TLS_CERT_FILE: import.meta.filename }, 'belong together'],
  [{ REDIS_URL: 'redis://:hunter2@a', REDIS_PASSWORD: 'hunter2' }, 'both set'],
  [{ REDIS_URL: 'redis+cluster://a', REDIS_SENTINEL_PASSWORD: 'hunter2' }, 'names no Sentinels'],
] as const)('%j is a mistake that is told by its name, without its secrets', ([env, words]) => {
  expect(() => server(env)).toThrow(words);
  expect(() => server(env)).not.toThrow('hunter2');
});

import { flushedDatabase } from '@tollgate/testing/external-redis';
import { freshRedis, startRedis } from '@tollgate/testing/redis';
import { until } from '@tollgate/testing/until';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';

async function withClient<T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => null, lazyConnect: true });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await use(client);
  } finally {
    client.disconnect();
  }
}

test('two fresh stores do not see each other', async () => {
  const [one, other] = await Promise.all([freshRedis(), freshRedis()]);
  await withClient(one.url, (client) => client.set('a', '1'));
  expect(await withClient(other.url, (client) => client.get('a'))).toBeNull();
  await Promise.all([one.close(), other.close()]);
});

test('a store that persists has its data again after kill -9, at the same address', async () => {
  const redis = await startRedis({ isPersistent: true });
  await withClient(redis.url, (client) => client.set('a', '1'));
  await redis.kill();
  await expect(withClient(redis.url, (client) => client.get('a'))).rejects.toThrow();
  await redis.start();
  expect(await withClient(redis.url, (client) => client.get('a'))).toBe('1');
  await redis.close();
});

test('a paused store answers nothing until it is resumed', async () => {
  const redis = await startRedis();
  await withClient(redis.url, async (client) => {
    redis.pause();
    const answer = client.ping();
    let isAnswered = false;
    void answer.then(() => {
      isAnswered = true;
    });
    await new Promise(setImmediate);
    expect(isAnswered).toBe(false);
    redis.resume();
    await until(() => isAnswered);
  });
  await redis.close();
});

test("in somebody else's Redis every test gets an emptied database of its own", async () => {
  const redis = await startRedis();
  const first = await flushedDatabase(redis.url);
  await withClient(first, (client) => client.set('a', '1'));
  const urls = [first];
  for (let round = 0; round < 8; round++) urls.push(await flushedDatabase(redis.url));
  expect(new Set(urls).size).toBe(8);
  expect(urls[8]).toBe(first);
  expect(await withClient(first, (client) => client.get('a'))).toBeNull();
  await redis.close();
});

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startRedis } from '@tollgate/testing/redis';
import { until } from '@tollgate/testing/until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from './gateway.js';
import type { Answer } from './http-client.js';
import { type Key, type Operator, operate } from './operator.js';

const CHANGE_DEADLINE_MS = 1_000;

let gateway: Gateway;
let operator: Operator;
let close: () => Promise<void>;

beforeAll(async () => {
  const redis = await startRedis();
  gateway = await startGateway({ env: { REDIS_URL: redis.url, RATELIMIT_STORE_TIMEOUT: '40ms' } });
  operator = operate(gateway);
  close = async () => {
    await operator.close();
    await gateway.close();
    await redis.close();
  };
});
afterAll(() => close());

const askAs = ({ secret }: Key): Promise<Answer> => gateway.ask('/x', { headers: { 'x-api-key': secret } });
const statusesOf = (answers: Answer[]) => new Set(answers.map(({ status }) => status));
const shadowOf = ({ headers }: Answer) => headers['x-ratelimit-shadow'];
const many = (who: Key, count: number) => Promise.all(Array.from({ length: count }, () => askAs(who)));

test('a plan in shadow denies nobody, and tells whom it would have; one key’s own limit denies all the same', async () => {
  const plan = ['plan', 'set', 'trial', '--per-minute', '1', '--burst', '5', '--per-day', '100', '--shadow'];
  expect(await operator.tollgate(...plan)).toMatchObject({ is_shadow: true });
  const key = await operator.newcomer('trial');
  const other = await operator.createKey(key.organizationId);
  await operator.setLimits(key.organizationId, { perMinute: 1, burst: 3 }, other.keyId);

  // The limits of an organization are looked up at its first request, which may take too long for it.
  await until(async () => (await askAs(key)).headers['x-ratelimit-limit-minute'] !== undefined);
  const answers = await many(key, 20);
  expect(statusesOf(answers)).toEqual(new Set([200]));
  const told = answers.filter((answer) => shadowOf(answer) === 'minute');
  expect(told.length).toBeGreaterThanOrEqual(10);
  expect(told[0]?.headers).toMatchObject({ 'x-ratelimit-limit-minute': '1', 'x-ratelimit-remaining-minute': '0' });
  expect(told[0]?.headers).not.toHaveProperty('retry-after');

  const ofOther = await many(other, 12);
  expect(statusesOf(ofOther)).toEqual(new Set([200, 429]));
  expect(ofOther.filter(({ status }) => status === 429).every((answer) => shadowOf(answer) === undefined)).toBe(true);

  await until(async () => (await eventsOf(key)).includes('"shadow_limited":"minute"'), 10_000, 'a usage event that tells of it');
  await operator.tollgate('limits', 'set', key.organizationId, '--no-shadow');
  await until(async () => (await askAs(key)).status === 429, CHANGE_DEADLINE_MS, 'the end of the shadow');
});

/** The usage events of this key, as they wait in the log. */
async function eventsOf({ keyId }: Key): Promise<string> {
  const folder = join(gateway.folder, 'events');
  const texts = await Promise.all((await readdir(folder)).map((file) => readFile(join(folder, file), 'latin1').catch(() => '')));
  const events = texts.join('\n').match(/\{"v":1,[^}]*\}/g) ?? [];
  return events.filter((event) => event.includes(keyId)).join('\n');
}

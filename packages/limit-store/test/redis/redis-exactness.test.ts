import { freshRedis } from '@tollgate/testing/redis';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { LimitStore, StoreLimit, TakeRequest } from '../../src/limit-store.js';
import { bucketState, bucketWaitMs, refilled, takeFromBucket } from '../../src/memory/bucket.js';
import { TAKE_SCRIPT } from '../../src/redis/take-script.js';
import { concurrentTakes } from '../concurrent-takes.js';
import { argumentsOf, resultOf } from './one-take.js';
import { connectedStore, PATIENT } from './open-redis-store.js';

type Taker = Pick<LimitStore, 'take'>;

const INSTANCES = 4;
/** The stores' clock and ours may tick apart by so much in half a second. */
const CLOCKS = 1.001;

let server: Awaited<ReturnType<typeof freshRedis>>;
beforeAll(async () => {
  server = await freshRedis();
});
afterAll(() => server.close());

const instances = <T>(open: (index: number) => T): T[] => Array.from({ length: INSTANCES }, (_, index) => open(index));

test('four instances with 64 takes in flight each let through what one bucket holds: no more, and all of it', async () => {
  const stores = await Promise.all(instances(() => connectedStore({ url: server.url, ...PATIENT })));
  const { passed, left, least, most } = await concurrentTakes(stores, 'exact', { burst: 1_000 }); // ten seconds' worth: a short stall loses no refill
  expect(passed).toBeLessThanOrEqual(most * CLOCKS);
  expect(passed + left).toBeGreaterThanOrEqual(0.99 * least - 1);
});

/** Stores that are right for one who asks alone, and wrong for many. */
const MUTANTS: Record<string, (redis: Redis, index: number) => Taker> = {
  'reads first and writes then': (redis) => ({ take: (request) => readThenWrite(redis, request) }),
  "goes by its caller's clock": (redis, index) => ({
    take: (request) => takeByClock(redis, request, Date.now() + index * 300_000),
  }),
  'keeps a bucket in each instance': (redis, index) => ({
    take: (request) => takeByClock(redis, { ...request, organizationId: `${request.organizationId} ${index}` }, Date.now()),
  }),
};

test.for(Object.entries(MUTANTS))('a store that %s is found out', async ([, open]) => {
  const clients = instances(() => new Redis(server.url));
  onTestFinished(() => {
    for (const client of clients) client.disconnect();
  });
  const stores = clients.map(open);
  const { passed, most } = await concurrentTakes(stores, `mutant ${open}`.replaceAll(/[{}]/g, ''));
  expect(passed).toBeGreaterThan(most * CLOCKS);
});

async function takeByClock(redis: Redis, request: TakeRequest, nowMs: number) {
  const script = TAKE_SCRIPT.replace("redis.call('TIME')", '{ARGV[#ARGV - 1], ARGV[#ARGV]}');
  const clock = [Math.floor(nowMs / 1_000), (nowMs % 1_000) * 1_000];
  return resultOf(await redis.eval(script, ...argumentsOf(request), ...clock), request);
}

async function readThenWrite(redis: Redis, { organizationId, cost, limits }: TakeRequest) {
  const limit = limits[0] as Extract<StoreLimit, { kind: 'rate' }>;
  const saved = await redis.get(`read:${organizationId}`);
  const nowUs = Date.now() * 1_000;
  const bucket = refilled(saved === null ? undefined : (JSON.parse(saved) as { units: number; atUs: number }), limit, nowUs);
  const waitMs = bucketWaitMs(bucket, limit, cost, nowUs);
  if (waitMs === 0) takeFromBucket(bucket, cost);
  await redis.set(`read:${organizationId}`, JSON.stringify(bucket));
  return { isAllowed: waitMs === 0, states: [bucketState(bucket, limit, waitMs)], nowMs: Date.now() };
}

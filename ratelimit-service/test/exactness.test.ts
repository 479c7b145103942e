import { freshRedis } from '@tollgate/testing/redis';
import { expect, onTestFinished, test } from 'vitest';
import { CODE, descriptorOf, envoyClient, type LimitAnswer } from './envoy-client.js';
import { anOrganization, type RunningRateLimit, runningRateLimit } from './running-ratelimit.js';

/** `EXACTNESS_SECONDS=60 npx vitest run ratelimit-service/test/exactness.test.ts` for the long one. */
const SECONDS = Number(process.env['EXACTNESS_SECONDS'] || 3);
const INSTANCES = 4;
const CONNECTIONS = 64;
const PER_MINUTE = 6_000;
/** What comes back in 20 seconds: a machine that stands still for less does not find the bucket full, and its refill lost. */
const BURST = 2_000;
const DRAIN_MS = 2_000;
const TIME = { timeout: 120_000 + SECONDS * 2_000 };

interface Count {
  asked: number;
  passed: number;
  degraded: number;
}

/** What the emptied bucket got back while they asked: at most `most`, at least `least`; `left` of it at the end. */
interface Outcome extends Count {
  left: number;
  least: number;
  most: number;
}

test(
  `${INSTANCES} instances with ${CONNECTIONS} connections each let one organization through what its bucket holds: no more, and all of it`,
  TIME,
  async () => {
    const redis = await freshRedis();
    onTestFinished(() => redis.close());
    const outcome = await askThrough(() => ({ REDIS_URL: redis.url }));
    console.info(`${outcome.asked} asked, ${outcome.passed} passed of ${outcome.most.toFixed(1)} in ${SECONDS} s`);
    expect(outcome.degraded).toBe(0);
    expect(outcome.passed).toBeLessThanOrEqual(outcome.most);
    expect(outcome.passed + outcome.left).toBeGreaterThanOrEqual(0.99 * outcome.least - 1);
  },
);

test('instances that count each by itself are found out', TIME, async () => {
  const outcome = await askThrough(() => ({ RATELIMIT_STORE: 'memory' }), 100);
  expect(outcome.passed).toBeGreaterThan(outcome.most);
});

/** All connections ask without a pause. The bucket is emptied first, or a slow start would find it full. */
async function askThrough(env: () => Record<string, string>, burst = BURST): Promise<Outcome> {
  const world = await anOrganization({ perMinute: PER_MINUTE, burst, perDay: 1_000_000 });
  const services: RunningRateLimit[] = [];
  for (let i = 0; i < INSTANCES; i++) services.push(await runningRateLimit(world, env()));
  const clients = await Promise.all(
    services.flatMap(({ address }) => Array.from({ length: CONNECTIONS }, () => envoyClient(address))),
  );
  const request = { descriptors: [descriptorOf(world.organization.id)] };
  await Promise.all(
    clients.map(({ ask }) => ask({ descriptors: [descriptorOf(world.organization.id, '', { hits_addend: { value: 0 } })] })),
  );

  const [first] = services as [RunningRateLimit];
  const count: Count = { asked: 0, passed: 0, degraded: 0 };
  const beforeMs = performance.now();
  expect((await first.take({ hits_addend: { value: burst } })).code).toBe(CODE.OK);
  const emptiedMs = performance.now();
  const endMs = emptiedMs + SECONDS * 1_000;
  await Promise.all(
    clients.map(async ({ ask }) => {
      let answer: LimitAnswer | undefined;
      // To the last that is left, or nearly: a late answer must not leave the refill of its time behind.
      while (performance.now() < endMs || (answer?.code === CODE.OK && performance.now() < endMs + DRAIN_MS)) {
        answer = await ask(request);
        count.asked++;
        if (answer.code === CODE.OK) count.passed++;
        if (answer.headers['X-RateLimit-Degraded'] !== undefined) count.degraded++;
      }
    }),
  );
  const lookMs = performance.now();
  const left = Number((await first.look()).headers['X-RateLimit-Remaining-Minute']);
  const afterMs = performance.now();
  const within = (ms: number): number => (ms * PER_MINUTE) / 60_000;
  return { ...count, left, least: within(lookMs - emptiedMs), most: within(afterMs - beforeMs) };
}

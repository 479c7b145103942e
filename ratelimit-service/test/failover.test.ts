import { startRedisSentinels } from '@tollgate/testing/redis-sentinel';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import type { LimitAnswer } from './envoy-client.js';
import { anOrganization, type RunningRateLimit, runningRateLimit } from './running-ratelimit.js';

const FAILOVER_DEADLINE_MS = 40_000;
const isDegraded = (answer: LimitAnswer): boolean => answer.headers['X-RateLimit-Degraded'] === 'true';

test('while Sentinels replace a killed master, two instances answer every call, marked, and count together again afterwards', async () => {
  const sentinels = await startRedisSentinels();
  onTestFinished(() => sentinels.close());
  const world = await anOrganization({ perMinute: 10, burst: 100, perDay: 1_000_000 });
  const env = { REDIS_URL: sentinels.url, RATELIMIT_INSTANCES: '2' };
  const instances = [await runningRateLimit(world, env), await runningRateLimit(world, env)] as const;
  for (const { look } of instances) await until(async () => !isDegraded(await look()));
  const loads = instances.map(underLoad);

  await sentinels.master.kill();
  for (const { page } of instances)
    await until(async () => /^tollgate_ratelimit_degraded\{.*\} 1$/m.test((await page('/metrics')).text));
  for (const { look } of instances) await until(async () => !isDegraded(await look()), FAILOVER_DEADLINE_MS, 'the new master');
  for (const end of loads) expect(await end()).toMatchObject({ errors: 0 });
  for (const { page } of instances)
    await until(async () => /^tollgate_ratelimit_degraded\{.*\} 0$/m.test((await page('/metrics')).text));
  await instances[0].take({ hits_addend: { value: 1 } });
  const remaining = await Promise.all(
    instances.map(async ({ look }) => Number((await look()).headers['X-RateLimit-Remaining-Day'])),
  );
  expect(remaining[0]).toBe(remaining[1]);
});

/** Asks one call after the other until it is told to end; then, how many there were and how many failed. */
function underLoad({ take }: RunningRateLimit): () => Promise<{ calls: number; errors: number }> {
  let isOver = false;
  const counts = { calls: 0, errors: 0 };
  const run = (async () => {
    while (!isOver) {
      counts.calls++;
      await take().catch(() => counts.errors++);
    }
  })();
  return async () => {
    isOver = true;
    await run;
    return counts;
  };
}

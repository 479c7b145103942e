import { setTimeout as delay } from 'node:timers/promises';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { startCluster } from './cluster.js';

// What happens to callers while instances are restarted or killed: proof/faults/rolling-restart.ts, instance-killed.ts.
test('a second SIGTERM ends a service at once, in the middle of its leave', async () => {
  const cluster = await startCluster({ authz: 1, ratelimit: 1, env: { DRAIN_TIME: '2500ms' } });
  onTestFinished(() => cluster.close());
  for (const instance of [...cluster.authz, ...cluster.ratelimit]) {
    instance.signal('SIGTERM');
    await until(async () => (await instance.page('/health/ready')).includes('unavailable'), 2_000, 'the beginning of the leave');
    // At once it would be the first one told twice.
    await delay(300);
    instance.signal('SIGTERM');
    expect(await instance.exited()).toEqual({ code: 143, signal: null });
  }
});

import { dayQuotaLastsMinutes, limitProblems } from '@tollgate/domain/limits';
import { listPlans } from '@tollgate/postgres/plans';
import { expect, test } from 'vitest';
import { openFresh } from './open-fresh.js';

test('the seeded plans are the published ones, and satisfy their own checks', async () => {
  const { db } = await openFresh();
  const plans = await listPlans(db);
  expect(plans).toEqual([
    { name: 'basic', perMinute: 100, burst: 150, perDay: 10_000, isShadow: false },
    { name: 'premium', perMinute: 1_000, burst: 1_500, perDay: 100_000, isShadow: false },
    { name: 'enterprise', perMinute: 10_000, burst: 15_000, perDay: 1_000_000, isShadow: false },
  ]);
  for (const { name: _, ...limits } of plans) {
    expect(limitProblems(limits)).toEqual([]);
    expect(dayQuotaLastsMinutes(limits)).toBeGreaterThan(90);
  }
});

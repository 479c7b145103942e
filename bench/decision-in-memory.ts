import type { OrganizationLimits } from '@tollgate/domain/limits';
import { appliedLimits } from '@tollgate/limit-store/applied-limits';
import { decide } from '@tollgate/limit-store/decide';
import { createMemoryLimitStore } from '@tollgate/limit-store/memory/memory-limit-store';

const WARM_UP = 200_000;
const DECISIONS = 1_000_000;

/** CPU time of a whole decision without Redis, in microseconds: which limits, the take of minute and day, the decision. */
export async function decisionInMemory(): Promise<number> {
  const store = createMemoryLimitStore();
  const limits = { perMinute: 100_000_000, burst: 100_000_000, perDay: 1_000_000_000 };
  const found: OrganizationLimits = { plan: limits, override: {}, billingAnchorDay: 1, keyLimits: new Map() };
  const decideMany = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const applied = appliedLimits(found, 'key', undefined);
      const taken = await store.take({ organizationId: 'bench', cost: 1, limits: applied.store });
      if (decide(applied.shown, { ...taken, isDegraded: false }).kind !== 'allowed') throw new Error('limited in a bench');
    }
  };
  await decideMany(WARM_UP);
  const before = process.cpuUsage();
  await decideMany(DECISIONS);
  const { user, system } = process.cpuUsage(before);
  await store.close();
  return (user + system) / DECISIONS;
}

import type { StoreLimit, TakeRequest } from './limit-store.js';

/** Refuses, by a RangeError, what no store could count: such a request is a mistake in our own code. */
export function checkTakeRequest({ organizationId, cost, limits }: TakeRequest): void {
  if (organizationId === '' || /[{}]/.test(organizationId))
    throw new RangeError('organizationId must be non-empty, without braces');
  if (!Number.isSafeInteger(cost) || cost < 0) throw new RangeError(`cost must be a whole number of at least 0, not ${cost}`);
  for (let i = 0; i < limits.length; i++) {
    const limit = limits[i] as StoreLimit;
    if (!isCountable(limit)) throw new RangeError(`limit ${limit.id} cannot be counted: ${JSON.stringify(limit)}`);
    for (let j = 0; j < i; j++) if (limits[j]?.id === limit.id) throw new RangeError(`two limits have the id ${limit.id}`);
  }
}

function isCountable(limit: StoreLimit): boolean {
  if (limit.kind === 'rate') return limit.perMinute > 0 && limit.perMinute < Infinity && isCount(limit.burst);
  if (!isCount(limit.quota)) return false;
  if (limit.kind === 'window') return Number.isSafeInteger(limit.lengthMs) && limit.lengthMs > 0;
  return limit.window === 'day' || (Number.isInteger(limit.anchorDay) && limit.anchorDay >= 1 && limit.anchorDay <= 31);
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

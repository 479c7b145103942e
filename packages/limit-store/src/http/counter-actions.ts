import type { ActionAnswer } from '@tollgate/service-kit/admin-actions';
import { LOOK_PATH, RESET_PATH } from '../counters.js';
import type { DegradingLimitStore } from '../degrading-limit-store.js';
import type { StoreLimit, TakeRequest } from '../limit-store.js';
import { look } from '../look.js';
import { StoreUnavailable } from '../store-unavailable.js';

const MAX_LIMITS = 32;

/**
 * What remote-counters.ts asks, by path. Bodies: `{ organization_id, cost, limits }` for a look, where limits are StoreLimits;
 * `{ organization_id, limit_ids }` for a reset. 400 for anything else, 503 while the store itself does not answer.
 */
export function counterActions(
  store: Pick<DegradingLimitStore, 'take' | 'reset'>,
): ReadonlyMap<string, (body: unknown) => Promise<ActionAnswer>> {
  const undegraded = {
    async take(request: TakeRequest) {
      const taken = await store.take(request);
      if (taken.isDegraded) throw new StoreUnavailable('it does not answer this instance just now');
      return taken;
    },
  };
  return new Map([
    [LOOK_PATH, (body) => answered(async () => look(undegraded, takeRequestFrom(body)))],
    [
      RESET_PATH,
      (body) =>
        answered(async () => {
          const { organizationId, limitIds } = resetFrom(body);
          await store.reset(organizationId, limitIds);
          return {};
        }),
    ],
  ]);
}

async function answered(work: () => Promise<object>): Promise<ActionAnswer> {
  try {
    return { status: 200, body: await work() };
  } catch (error) {
    if (error instanceof RangeError) return { status: 400, body: { error: { code: 'bad_request', message: error.message } } };
    if (error instanceof StoreUnavailable)
      return { status: 503, body: { error: { code: 'unavailable', message: error.message } } };
    throw error;
  }
}

/** What the numbers in it may be, the store says. */
function takeRequestFrom(body: unknown): TakeRequest {
  const { organization_id: organizationId, cost, limits } = fieldsOf(body);
  if (typeof organizationId !== 'string' || typeof cost !== 'number' || !isListOf(limits, isStoreLimit))
    throw new RangeError('a look takes organization_id, cost and limits');
  return { organizationId, cost, limits: limits as StoreLimit[] };
}

function resetFrom(body: unknown): { organizationId: string; limitIds: string[] } {
  const { organization_id: organizationId, limit_ids: limitIds } = fieldsOf(body);
  if (typeof organizationId !== 'string' || !isListOf(limitIds, (id) => typeof id === 'string'))
    throw new RangeError('a reset takes organization_id and limit_ids');
  return { organizationId, limitIds: limitIds as string[] };
}

function isStoreLimit(value: unknown): boolean {
  const { kind, id } = fieldsOf(value);
  return (kind === 'rate' || kind === 'quota') && typeof id === 'string';
}

function isListOf(value: unknown, isOne: (each: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length <= MAX_LIMITS && value.every(isOne);
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

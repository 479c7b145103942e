import {
  isEnforced,
  type LimitState,
  type LimitStore,
  type StoreLimit,
  type TakeRequest,
  type TakeResult,
} from './limit-store.js';

/** One that always denies, so that the others say what they would do and nothing is taken. It never has a state. */
const NEVER: StoreLimit = { kind: 'quota', id: 'look', quota: 0, window: 'day' };

/**
 * What a take of this cost would be told now, by the store's own judgement, with nothing taken: `remaining` is what is there
 * before it. Rejects as a take does.
 */
export async function look(store: Pick<LimitStore, 'take'>, request: TakeRequest): Promise<TakeResult> {
  const { states, nowMs } = await store.take({ ...request, limits: [...request.limits, NEVER] });
  const own = states.slice(0, request.limits.length);
  return { isAllowed: request.limits.every((limit, i) => !isEnforced(limit) || fits(own[i])), states: own, nowMs };
}

const fits = (state: LimitState | undefined): boolean => state?.waitMs === 0;

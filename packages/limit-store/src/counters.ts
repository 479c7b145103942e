import type { TakeRequest, TakeResult } from './limit-store.js';

/** What an operator may do with what is counted. Each rejects with StoreUnavailable where the counters cannot be reached. */
export interface Counters {
  /** What a take would be told now, with nothing taken. */
  look(request: TakeRequest): Promise<TakeResult>;
  /** As if these limits had never been used. */
  reset(organizationId: string, limitIds: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export const LOOK_PATH = '/counters/look';
export const RESET_PATH = '/counters/reset';

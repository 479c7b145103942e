import type { KnownKeys } from './known-keys.js';
import type { MissBudget } from './miss-budget.js';

export interface LookupGateOptions {
  known: Pick<KnownKeys, 'has'>;
  budget: MissBudget;
  /** Whether changes arrive as they happen, so that a key which is not known is at most an instant old. */
  isPushed: () => boolean;
}

/**
 * Whether a key that is not in memory is worth asking the database for: always where it may exist; where it is not known,
 * within the budget, as it might have been made this instant. Without pushed changes nobody can tell, so all are.
 */
export function createLookupGate({ known, budget, isPushed }: LookupGateOptions): (keyHash: string, nowMs: number) => boolean {
  return (keyHash, nowMs) => known.has(keyHash) !== false || !isPushed() || budget.take(nowMs);
}

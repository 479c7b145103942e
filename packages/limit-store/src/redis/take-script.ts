import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isEnforced, type LimitState, type TakeRequest, type TakeResult } from '../limit-store.js';

// Beside this file in the sources, beside the bundle when built.
export const TAKE_SCRIPT = readFileSync(new URL('./take.lua', import.meta.url), 'utf8');
export const TAKE_SCRIPT_SHA = createHash('sha1').update(TAKE_SCRIPT).digest('hex');

/** Where a limit's state stands; the braces keep an organization's limits on one node of a cluster. */
export function stateKey(organizationId: string, limitId: string): string {
  return `tg:{${organizationId}}:${limitId}`;
}

/** What EVALSHA wants after the hash: number of keys, keys, ARGV. */
export function scriptArguments({ organizationId, cost, limits }: TakeRequest): [number, ...(string | number)[]] {
  const keys: string[] = [];
  const rules: (string | number)[] = [cost];
  let modes = '';
  for (const limit of limits) {
    keys.push(stateKey(organizationId, limit.id));
    if (limit.kind === 'rate') rules.push('rate', limit.perMinute, limit.burst);
    else if (limit.kind === 'window') rules.push('window', limit.quota, limit.lengthMs);
    else rules.push(limit.window, limit.quota, limit.window === 'month' ? limit.anchorDay : 0);
    modes += isEnforced(limit) ? 'e' : 's';
  }
  return [keys.length, ...keys, ...rules, modes];
}

export function resultFrom(reply: unknown): TakeResult {
  const [allowed, nowMs, ...numbers] = reply as [number, number, ...number[]];
  const states: LimitState[] = [];
  for (let i = 0; i < numbers.length; i += 3) {
    const [remaining, resetAtMs, waitMs] = [numbers[i], numbers[i + 1], numbers[i + 2]] as [number, number, number];
    states.push({ remaining, resetAtMs, waitMs: waitMs < 0 ? Infinity : waitMs });
  }
  return { isAllowed: allowed === 1, states, nowMs };
}

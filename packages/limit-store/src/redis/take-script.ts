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

/** What EVALSHA wants after the hash: number of keys, keys, ARGV. In a cluster all takes are of one organization. */
export function scriptArguments(takes: readonly TakeRequest[]): [number, ...(string | number)[]] {
  const keys: string[] = [];
  const args: (string | number)[] = [takes.length];
  for (const { organizationId, cost, limits } of takes) {
    const modesAt = args.push(cost, '') - 1;
    let modes = '';
    for (const limit of limits) {
      keys.push(stateKey(organizationId, limit.id));
      if (limit.kind === 'rate') args.push('rate', limit.perMinute, limit.burst);
      else if (limit.kind === 'window') args.push('window', limit.quota, limit.lengthMs);
      else args.push(limit.window, limit.quota, limit.window === 'month' ? limit.anchorDay : 0);
      modes += isEnforced(limit) ? 'e' : 's';
    }
    args[modesAt] = modes;
  }
  return [keys.length, ...keys, ...args];
}

/** One for each take, in that order. */
export function resultsFrom(reply: unknown, takes: readonly TakeRequest[]): TakeResult[] {
  const numbers = reply as number[];
  const nowMs = numbers[0] as number;
  let at = 1;
  const next = (): number => numbers[at++] as number;
  return takes.map(({ limits }) => {
    const isAllowed = next() === 1;
    const states = limits.map((): LimitState => {
      const [remaining, resetAtMs, waitMs] = [next(), next(), next()];
      return { remaining, resetAtMs, waitMs: waitMs < 0 ? Infinity : waitMs };
    });
    return { isAllowed, states, nowMs };
  });
}

import { monthPeriod } from '@tollgate/domain/period';
import type { Window } from '@tollgate/limit-store/applied-limits';
import type { WindowState } from '@tollgate/limit-store/decide';
import type { HeaderValue } from '@tollgate/protos/envoy/config/core/v3/base';

/** In which words callers are told how much is left: ours, those of the IETF's draft (RateLimit header fields), or both. */
export type HeaderForm = 'x-ratelimit' | 'ietf' | 'both';

const ENDING: Record<Window, string> = { minute: 'Minute', day: 'Day', month: 'Month' };
const MINUTE_SECONDS = 60;
const DAY_SECONDS = 86_400;

/** What every answer says of these windows. */
export function limitHeaders(form: HeaderForm, windows: readonly WindowState[], now: Date): HeaderValue[] {
  return [...(form === 'ietf' ? [] : windows.flatMap(ownHeaders)), ...(form === 'x-ratelimit' ? [] : ietfHeaders(windows, now))];
}

function ownHeaders({ window, limit, remaining, resetAt }: WindowState): HeaderValue[] {
  const ending = ENDING[window];
  return [
    { key: `X-RateLimit-Limit-${ending}`, value: String(limit) },
    { key: `X-RateLimit-Remaining-${ending}`, value: String(remaining) },
    { key: `X-RateLimit-Reset-${ending}`, value: String(resetAt) },
  ];
}

/** Lists of structured fields (RFC 9651): a policy is a quota `q` a window of `w` seconds; of it `r` are left for `t` seconds. */
function ietfHeaders(windows: readonly WindowState[], now: Date): HeaderValue[] {
  if (windows.length === 0) return [];
  const nowSeconds = Math.floor(now.getTime() / 1000);
  const policies = windows.map((state) => `"${state.window}";q=${state.limit};w=${lengthSeconds(state)}`);
  const left = windows.map(
    ({ window, remaining, resetAt }) => `"${window}";r=${remaining};t=${Math.max(0, resetAt - nowSeconds)}`,
  );
  return [
    { key: 'RateLimit-Policy', value: policies.join(', ') },
    { key: 'RateLimit', value: left.join(', ') },
  ];
}

/** Billing months differ: this is the one that ends at the reset. */
function lengthSeconds({ window, resetAt, anchorDay = 1 }: WindowState): number {
  if (window === 'minute') return MINUTE_SECONDS;
  if (window === 'day') return DAY_SECONDS;
  const { startMs, endMs } = monthPeriod(anchorDay, resetAt * 1000 - 1);
  return (endMs - startMs) / 1000;
}

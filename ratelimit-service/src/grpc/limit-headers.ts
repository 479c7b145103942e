import { monthPeriod } from '@tollgate/domain/period';
import type { WindowState } from '@tollgate/limit-store/decide';
import { type Header, headerName } from './header-bytes.js';

/** In which words callers are told how much is left: ours, those of the IETF's draft (RateLimit header fields), or both. */
export type HeaderForm = 'x-ratelimit' | 'ietf' | 'both';

const OWN = { minute: ownNames('Minute'), day: ownNames('Day'), month: ownNames('Month') };
const POLICY = headerName('RateLimit-Policy');
const LEFT = headerName('RateLimit');
const MINUTE_SECONDS = 60;
const DAY_SECONDS = 86_400;

/** What every answer says of these windows. */
export function limitHeaders(form: HeaderForm, windows: readonly WindowState[], now: Date): Header[] {
  const headers: Header[] = [];
  if (form !== 'ietf')
    for (const { window, limit, remaining, resetAt } of windows) {
      const names = OWN[window];
      headers.push([names.limit, limit], [names.remaining, remaining], [names.reset, resetAt]);
    }
  if (form !== 'x-ratelimit') headers.push(...ietfHeaders(windows, now));
  return headers;
}

function ownNames(ending: string) {
  const name = (what: string) => headerName(`X-RateLimit-${what}-${ending}`);
  return { limit: name('Limit'), remaining: name('Remaining'), reset: name('Reset') };
}

/** Lists of structured fields (RFC 9651): a policy is a quota `q` a window of `w` seconds; of it `r` are left for `t` seconds. */
function ietfHeaders(windows: readonly WindowState[], now: Date): Header[] {
  if (windows.length === 0) return [];
  const nowSeconds = Math.floor(now.getTime() / 1000);
  const policies = windows.map((state) => `"${state.window}";q=${state.limit};w=${lengthSeconds(state)}`);
  const left = windows.map(
    ({ window, remaining, resetAt }) => `"${window}";r=${remaining};t=${Math.max(0, resetAt - nowSeconds)}`,
  );
  return [
    [POLICY, policies.join(', ')],
    [LEFT, left.join(', ')],
  ];
}

/** Billing months differ: this is the one that ends at the reset. */
function lengthSeconds({ window, resetAt, anchorDay = 1 }: WindowState): number {
  if (window === 'minute') return MINUTE_SECONDS;
  if (window === 'day') return DAY_SECONDS;
  const { startMs, endMs } = monthPeriod(anchorDay, resetAt * 1000 - 1);
  return (endMs - startMs) / 1000;
}

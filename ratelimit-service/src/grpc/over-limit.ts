import { type Header, headerName } from './header-bytes.js';

/** A larger number does not fit a field of the protocol. */
export const MAX_UINT32 = 0xffffffff;

const JSON_BODY: Header = [headerName('content-type'), 'application/json'];
const RETRY_AFTER = headerName('Retry-After');
/** Not the store decided, but what stands in for it. */
export const DEGRADED: Header = [headerName('X-RateLimit-Degraded'), 'true'];

/** The limit that denied a call, whatever kind it is of. */
interface OverLimit {
  remaining: number;
  /** Unix seconds. */
  resetAt: number;
  /** Whole seconds; undefined where the call never fits. */
  retryAfter: number | undefined;
}

/** Headers of a 429. */
export function limitedHeaders({ retryAfter }: OverLimit): Header[] {
  // Envoy replaces the body of an answer that names no content type.
  return retryAfter === undefined ? [JSON_BODY] : [JSON_BODY, [RETRY_AFTER, retryAfter]];
}

/** `details` of its body; `named` says which limit it is. */
export function limitedDetails(
  named: { limit_type: string; limit_name?: string; limit: number },
  { remaining, resetAt, retryAfter }: OverLimit,
): Record<string, unknown> {
  return {
    ...named,
    remaining,
    reset_at: new Date(resetAt * 1000).toISOString().replace('.000Z', 'Z'),
    ...(retryAfter === undefined ? {} : { retry_after: retryAfter }),
  };
}

import type { HeaderValue } from '@tollgate/protos/envoy/config/core/v3/base';

/** A larger number does not fit a field of the protocol. */
export const MAX_UINT32 = 0xffffffff;

/** The limit that denied a call, whatever kind it is of. */
interface OverLimit {
  remaining: number;
  /** Unix seconds. */
  resetAt: number;
  /** Whole seconds; undefined where the call never fits. */
  retryAfter: number | undefined;
}

/** Headers of a 429. */
export function limitedHeaders({ retryAfter }: OverLimit): HeaderValue[] {
  // Envoy replaces the body of an answer that names no content type.
  const headers = [{ key: 'content-type', value: 'application/json' }];
  if (retryAfter !== undefined) headers.push({ key: 'Retry-After', value: String(retryAfter) });
  return headers;
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

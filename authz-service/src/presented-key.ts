import { apiKeyEnvironment } from '@tollgate/domain/api-key';
import { couldBeForeignKey } from '@tollgate/domain/foreign-key';

/** What a caller sent as its key. */
export type PresentedKey =
  | { kind: 'key'; secret: string; isInAuthorization: boolean }
  | { kind: 'missing' }
  /** The wrong shape or checksum, or several keys: refused without a look-up. */
  | { kind: 'malformed' };

const MISSING: PresentedKey = { kind: 'missing' };
const MALFORMED: PresentedKey = { kind: 'malformed' };
/** Ours is what begins with `sk_` in any case, after an optional `Bearer`: a typo in the case is answered as a bad key. */
const OURS = /^\s*(?:bearer\s+)?(sk_.*)$/is;

/**
 * Finds the key in the two headers that may carry it. Envoy joins repeated headers with a comma, which no key holds, so
 * that two keys are malformed. Any Authorization that is not ours is the customer's own and stays untouched: keys that
 * other systems made, where they are accepted, come in X-API-Key, or in an Authorization only if they begin like ours.
 */
export function presentedKey(
  apiKeyHeader: string | undefined,
  authorization: string | undefined,
  acceptsForeignKeys = false,
): PresentedKey {
  const inAuthorization = authorization === undefined ? undefined : OURS.exec(authorization)?.[1];
  // Behind a foreign Authorization the key would pass on to the upstream unseen.
  if (inAuthorization === undefined && authorization !== undefined && hidesKey(authorization)) return MALFORMED;
  const secret = apiKeyHeader || inAuthorization;
  if (secret === undefined) return MISSING;
  if (inAuthorization !== undefined && inAuthorization !== secret) return MALFORMED;
  if (apiKeyEnvironment(secret) === undefined && !(acceptsForeignKeys && couldBeForeignKey(secret))) return MALFORMED;
  return { kind: 'key', secret, isInAuthorization: inAuthorization !== undefined };
}

function hidesKey(authorization: string): boolean {
  return authorization.includes(',') && authorization.split(',').some((part) => OURS.test(part.trim()));
}

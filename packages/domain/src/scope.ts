/**
 * Scopes: what a route demands of a key. Words of lower case, parted by colons: `orders`, `orders:read`.
 * A key may also hold `orders:*`, which grants everything below `orders:` (not `orders` itself), or `*`, which grants all.
 */
const SCOPE = /^[a-z0-9][a-z0-9._-]*(:[a-z0-9._-]+)*$/;
const WILDCARD = /^(\*|[a-z0-9][a-z0-9._-]*(:[a-z0-9._-]+)*:\*)$/;
const MAX_SCOPE_CHARACTERS = 64;
/** As many as a key can hold. */
export const MAX_SCOPES = 64;

/** Whether a route may demand it. */
export function isScope(text: string): boolean {
  return text.length <= MAX_SCOPE_CHARACTERS && SCOPE.test(text);
}

/** Whether a key may hold it: a scope, or a wildcard. */
export function isGrant(text: string): boolean {
  return isScope(text) || (text.length <= MAX_SCOPE_CHARACTERS && WILDCARD.test(text));
}

/**
 * The scopes that a route's configuration names, parted by blanks or commas: a key needs all of them. Nothing demands
 * nothing. Undefined where the text is malformed, so that nobody can tell what was meant: then nobody may pass.
 */
export function demandedScopes(text: string): readonly string[] | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return [];
  const scopes = trimmed.split(/\s*,\s*|\s+/);
  return scopes.length <= MAX_SCOPES && scopes.every(isScope) ? [...new Set(scopes)] : undefined;
}

/** What the key lacks of what is demanded, in the order of the demand. */
export function missingScopes(granted: readonly string[], demanded: readonly string[]): string[] {
  return demanded.filter((scope) => !granted.some((grant) => grants(grant, scope)));
}

function grants(grant: string, scope: string): boolean {
  if (grant === scope || grant === '*') return true;
  return grant.endsWith(':*') && scope.startsWith(grant.slice(0, -1));
}

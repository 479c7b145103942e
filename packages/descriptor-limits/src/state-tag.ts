import { hash } from 'node:crypto';
import type { Entry } from './find-rule.js';
import type { Rule } from './rule.js';

const HASH_CHARACTERS = 22;

/**
 * Under what the state of a descriptor is kept, in the place of an organization's id, which is never like it. Values come
 * from strangers, are of any length and may be secrets, so only their hash is kept. Each descriptor has a tag of its own,
 * so that they spread over the nodes of a cluster. Values that count together have one tag.
 */
export function stateTag(domain: string, entries: readonly Entry[], matched: readonly Rule[] = []): string {
  const parts = entries.flatMap(({ key, value }, i) => [key, matched[i]?.sharesThreshold ? matched[i].value : value]);
  return `rule:${hash('sha256', JSON.stringify([domain, ...parts]), 'base64url').slice(0, HASH_CHARACTERS)}`;
}

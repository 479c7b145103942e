const SHORTEST = 16;
const LONGEST = 256;
/** Visible ASCII without the comma: Envoy joins repeated headers with one, so it could not be told from two keys. */
const PATTERN = /^[!-+\--~]+$/;

/**
 * Whether a text may be a key that another system made. It has no checksum that could be wrong: only a look-up can tell.
 * Shorter ones could be guessed, since a hash without salt is all that guards them.
 */
export function couldBeForeignKey(text: string): boolean {
  return text.length >= SHORTEST && text.length <= LONGEST && PATTERN.test(text);
}

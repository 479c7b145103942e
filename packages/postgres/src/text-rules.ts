import { isGrant, MAX_SCOPES } from '@tollgate/domain/scope';
import { isUuid } from '@tollgate/domain/uuid';
import { Invalid } from './errors.js';

const MAX_NAME_CHARACTERS = 200;
const MAX_REASON_CHARACTERS = 500;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for.
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** The name without blanks around it. Throws {@link Invalid} for what the tables refuse. */
export function validName(text: string): string {
  const name = text.trim();
  if (isUuid(name.toLowerCase())) throw new Invalid('the name must not look like an id');
  return validText('the name', name, MAX_NAME_CHARACTERS);
}

export function validActor(text: string): string {
  return validText('the actor', text, MAX_NAME_CHARACTERS);
}

export function validReason(text: string): string {
  return validText('the reason', text, MAX_REASON_CHARACTERS);
}

/** Sorted and each once, so that equal sets are equal arrays. */
export function validScopes(scopes: readonly string[]): string[] {
  const unique = [...new Set(scopes)].sort((a, b) => (a < b ? -1 : 1));
  if (unique.length > MAX_SCOPES) throw new Invalid(`a key has at most ${MAX_SCOPES} scopes`);
  if (!unique.every(isGrant))
    throw new Invalid(
      'a scope has at most 64 characters, such as orders or orders:read, in lower case; a key may also hold orders:* or *',
    );
  return unique;
}

/** PostgreSQL counts characters, and cannot hold half a surrogate pair. */
function validText(what: string, text: string, maxCharacters: number): string {
  const characters = [...text].length;
  if (characters < 1 || characters > maxCharacters) throw new Invalid(`${what} must have 1 to ${maxCharacters} characters`);
  if (CONTROL.test(text) || !text.isWellFormed()) throw new Invalid(`${what} must not hold control characters`);
  return text;
}

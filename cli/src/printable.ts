/** A value as it stands in JSON: the stable face of a row. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Control and format characters, and the two line breaks of Unicode: what could rewrite a terminal or turn its text around. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Text for a terminal. Names and paths come from strangers, so what could rewrite the screen goes. */
export function plain(value: Json | undefined): string {
  if (value === null || value === undefined) return '-';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text.replace(UNPRINTABLE, '');
}

const SHOWN_CHARACTERS = 60;

/** What was typed, for a message: on one line, cut, in quotes. */
export function quoted(text: string): string {
  const characters = [...text];
  const shown = characters.length > SHOWN_CHARACTERS ? `${characters.slice(0, SHOWN_CHARACTERS).join('')}…` : text;
  return plain(JSON.stringify(shown));
}

/** JSON of the same value, in which no character can act on a terminal. */
export function toJson(value: Json): string {
  return harmlessJson(JSON.stringify(value, null, 2));
}

/** The same JSON, in which no character can act on a terminal: those that could stand within its strings only. */
export function harmlessJson(json: string): string {
  return json.replace(UNPRINTABLE, (character) => (character === '\n' ? '\n' : escaped(character)));
}

/** Beyond the basic plane, a character has two units, and so two escapes. */
function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

/** A message of ours, whose own line breaks stay. */
export function plainLines(text: string): string {
  return text.split('\n').map(plain).join('\n');
}

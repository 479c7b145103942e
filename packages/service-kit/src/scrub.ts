/**
 * Takes secrets out of text that people will read, wherever they stand in it: in messages, in stacks, in JSON. It works on
 * a whole JSON line without breaking it: nothing that is cut out holds a quote or half an escape.
 * When in doubt it cuts too much.
 */

const API_KEY = /sk_(live|test)_[\w.~%+-]*/gi;
const BEARER = /\b(bearer|basic) +[\w.~+/=-]+/gi;
const ASSIGNED_PASSWORD = /\b(password|passwd|pwd)=[^\s"\\&,;]+/gi;
/** Members of a JSON object, at any depth: a string, or a list of strings as headers have them. */
const SECRET_MEMBER =
  /"(authorization|proxy-authorization|x-api-key|cookie|set-cookie|password|secret|apiKey|api_key)":(?:"(?:\\.|[^"\\])*"|\[(?:"(?:\\.|[^"\\])*",?)*\])/gi;
/** A run of characters that a URL may be in; an escape belongs to it, an escaped line break ends it. */
const WORD = /(?:\\[^nrt]|[^\s"\\])+/g;

/** The text without API keys, bearer tokens, passwords in URLs and the values of members that are secret by name. */
export function scrub(text: string): string {
  return withoutUserInfo(text)
    .replace(SECRET_MEMBER, '"$1":"***"')
    .replace(API_KEY, 'sk_$1_***')
    .replace(BEARER, '$1 ***')
    .replace(ASSIGNED_PASSWORD, '$1=***');
}

function withoutUserInfo(text: string): string {
  // Most lines hold no URL with an @; this look spares them the walk.
  if (!text.includes('://') || !text.includes('@')) return text;
  return text.replace(WORD, (word) => {
    const start = word.indexOf('://') + 3;
    const end = word.lastIndexOf('@');
    return start < 3 || end < start ? word : `${word.slice(0, start)}***${word.slice(end)}`;
  });
}

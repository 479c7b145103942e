import type { HeaderField } from './header-field.js';

/** What a call begins with. */
export interface RequestHead {
  method: string;
  path: string;
  /** The value of a header, by its name in lower case; of several the first. */
  header(name: string): string | undefined;
  contentLength: number | undefined;
}

const DIGITS = /^\d{1,15}$/;

/** A head that keeps the rules (RFC 9113, section 8.3.1), or undefined for a malformed one. */
export function requestHead(fields: readonly HeaderField[]): RequestHead | undefined {
  let method: string | undefined;
  let path: string | undefined;
  let scheme: string | undefined;
  let authority: string | undefined;
  let at = 0;
  for (; at < fields.length; at++) {
    const { name, value, isRegular } = fields[at] as HeaderField;
    if (isRegular) break;
    if (name === ':method' && method === undefined) method = value;
    else if (name === ':path' && path === undefined) path = value;
    else if (name === ':scheme' && scheme === undefined) scheme = value;
    else if (name === ':authority' && authority === undefined) authority = value;
    else return undefined;
  }
  if (!method || !path || !scheme) return undefined;
  let contentLength: number | undefined;
  for (; at < fields.length; at++) {
    const { name, value, isRegular } = fields[at] as HeaderField;
    if (!isRegular) return undefined;
    if (name !== 'content-length') continue;
    if (contentLength !== undefined || !DIGITS.test(value)) return undefined;
    contentLength = Number(value);
  }
  return new Head(fields, method, path, contentLength);
}

class Head implements RequestHead {
  constructor(
    private readonly fields: readonly HeaderField[],
    readonly method: string,
    readonly path: string,
    readonly contentLength: number | undefined,
  ) {}

  header(name: string): string | undefined {
    for (const field of this.fields) if (field.name === name) return field.value;
    return undefined;
  }
}

/** One header of a block. Fields of the tables of HPACK are the same object each time. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
  /** It may stand in a request or after one, and is no pseudo-header (RFC 9113, sections 8.2.1 and 8.2.2). */
  readonly isRegular: boolean;
}

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** Of HTTP/1.1. */
const OF_ONE_CONNECTION = new Set(['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade']);

export function headerField(name: string, value: string): HeaderField {
  const isRegular = NAME.test(name) && !OF_ONE_CONNECTION.has(name) && (name !== 'te' || value === 'trailers');
  return { name, value, isRegular };
}

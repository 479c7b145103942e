import type { Address } from './options.js';

/**
 * The configuration is written as text and not serialized from objects, so that every setting can carry the reason why
 * it is there. Whatever comes from outside goes through `quoted`.
 */

/** Any text as a YAML scalar: what JSON quotes, YAML reads. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}

/** Text inside a format string of Envoy, where a percent sign begins a command. */
export function quotedFormat(text: string): string {
  return quoted(text.replaceAll('%', '%%'));
}

/** Moves a piece to the right, so that each piece can be written from the first column. */
export function indented(spaces: number, text: string): string {
  const margin = ' '.repeat(spaces);
  return text
    .split('\n')
    .map((line) => (line === '' ? line : margin + line))
    .join('\n');
}

/** The piece as an item of a list. */
export function asItem(block: string): string {
  return `- ${indented(2, block).trimStart()}`;
}

/** Pieces one below the other; a piece that is left out is undefined. */
export function stacked(...pieces: (string | undefined)[]): string {
  return pieces.filter((piece) => piece !== undefined).join('\n');
}

/** Milliseconds as Envoy wants durations: `0.25s`. */
export function seconds(ms: number): string {
  return `${Math.round(ms) / 1000}s`;
}

/** An address in Envoy's flow form. */
export function envoyAddress(address: Address): string {
  return 'unix' in address
    ? `{ pipe: { path: ${quoted(address.unix)} } }`
    : `{ socket_address: { address: ${quoted(address.host)}, port_value: ${address.port} } }`;
}

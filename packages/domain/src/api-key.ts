/**
 * The API key: `sk_(live|test)_` + 26 random base-36 characters (134 bits) + 6 of checksum.
 * The checksum is public. It only spares a look-up for a typo; it proves nothing about who made the key.
 */
import { hash, randomInt } from 'node:crypto';

export type Environment = 'live' | 'test';

const PATTERN = /^sk_(test|live)_[a-z0-9]{32}$/;
const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';
const RANDOM_CHARACTERS = 26;
const CHECKSUM_CHARACTERS = 6;
const PREFIX_CHARACTERS = 12;

/** The way the stored hash was made; stored beside it so that a later way can live next to this one. */
export const HASH_VERSION = 1;

/** Makes a new secret. `randomInt` draws without modulo bias. */
export function generateApiKey(environment: Environment): string {
  let body = `sk_${environment}_`;
  for (let i = 0; i < RANDOM_CHARACTERS; i++) body += ALPHABET.charAt(randomInt(ALPHABET.length));
  return body + checksum(body);
}

/** The key's environment, or undefined where the text is no key of ours (its shape or its checksum is wrong). */
export function apiKeyEnvironment(text: string): Environment | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const body = text.slice(0, -CHECKSUM_CHARACTERS);
  return text.endsWith(checksum(body)) ? (match[1] as Environment) : undefined;
}

/** The only form of a key that is stored: SHA-256 in hex. 134 random bits need no salt and no slow hash. */
export function hashApiKey(secret: string): string {
  return hash('sha256', secret, 'hex');
}

/** What lists and support may show of a key: its first 12 characters. */
export function apiKeyPrefix(secret: string): string {
  return secret.slice(0, PREFIX_CHARACTERS);
}

function checksum(body: string): string {
  return (crc32(body) % 36 ** CHECKSUM_CHARACTERS).toString(36).padStart(CHECKSUM_CHARACTERS, '0');
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 of ASCII text (IEEE 802.3, reflected), as zlib computes it. */
function crc32(text: string): number {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i++) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ text.charCodeAt(i)) & 0xff] as number);
  return (crc ^ 0xffffffff) >>> 0;
}

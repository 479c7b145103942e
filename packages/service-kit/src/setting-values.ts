/** What the text of a setting may be. Messages finish the sentence "NAME …" and never repeat the text: it may be a secret. */
import { z } from 'zod';
import { type ListenAddress, parseListenAddress } from './listen-address.js';

/** Turns the text of a setting into its value. Its description says in a few words what the text may be. */
export type SettingValue<Value> = z.ZodType<Value, string>;

/** The parser returns the value, or an Unfit with what the text must be. */
class Unfit {
  constructor(readonly message: string) {}
}

function value<Value>(kind: string, parse: (text: string) => Value | Unfit): SettingValue<Value> {
  return z
    .string()
    .transform((text, context) => {
      const parsed = parse(text);
      if (!(parsed instanceof Unfit)) return parsed;
      context.addIssue({ code: 'custom', message: parsed.message });
      return z.NEVER;
    })
    .describe(kind);
}

/** The bounds of a number, as far as there are some. */
function within(min: string | undefined, max: string | undefined): string {
  if (min !== undefined && max !== undefined) return `, ${min} to ${max}`;
  if (min !== undefined) return `, at least ${min}`;
  return max === undefined ? '' : `, at most ${max}`;
}

function spelled(amount: number | undefined, units: Readonly<Record<string, number>>): string | undefined {
  if (amount === undefined) return undefined;
  const [unit, size] = Object.entries(units).findLast(([, each]) => amount % each === 0) ?? ['', 1];
  return `${amount / size}${unit}`;
}

/** Any text that is not empty. */
export function text(): SettingValue<string> {
  return value('text', (given) => given);
}

const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** The longest that a timer can wait. */
const MAX_DURATION_MS = 2 ** 31 - 1;

/** `200ms`, `15s`, `10m`, `1h` → milliseconds. A bare number is refused. */
export function durationMs(range: { minMs?: number; maxMs?: number } = {}): SettingValue<number> {
  const { minMs = 0, maxMs = MAX_DURATION_MS } = range;
  const bounds = within(spelled(range.minMs, MS_PER_UNIT), spelled(range.maxMs, MS_PER_UNIT));
  return value(`duration${bounds}`, (given) => {
    const [, count, unit] = /^(\d+)(ms|s|m|h)$/.exec(given) ?? [];
    if (/^\d+$/.test(given)) return new Unfit('needs a unit: durations carry a unit, such as 200ms, 15s, 10m or 1h');
    if (unit === undefined) return new Unfit('must be a duration such as 200ms, 15s, 10m or 1h');
    const ms = Number(count) * (MS_PER_UNIT[unit] as number);
    return ms >= minMs && ms <= maxMs ? ms : new Unfit(`must be from ${minMs}ms to ${maxMs}ms`);
  });
}

const BYTES_PER_UNIT: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** `512KiB`, `4MiB` → bytes. */
export function bytes(range: { min?: number; max?: number } = {}): SettingValue<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = range;
  const bounds = within(spelled(range.min, BYTES_PER_UNIT), spelled(range.max, BYTES_PER_UNIT));
  return value(`size${bounds}`, (given) => {
    const [, count, unit] = /^(\d+)(B|KiB|MiB|GiB)$/.exec(given) ?? [];
    if (unit === undefined) return new Unfit('must be a size with its unit (B, KiB, MiB, GiB), such as 4MiB');
    const size = Number(count) * (BYTES_PER_UNIT[unit] as number);
    return size >= min && size <= max ? size : new Unfit(`must be from ${min}B to ${max}B`);
  });
}

/** A whole number in decimal digits. */
export function integer(range: { min?: number; max?: number } = {}): SettingValue<number> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = range;
  return value(`whole number${within(range.min?.toString(), range.max?.toString())}`, (given) => {
    const number = /^-?\d+$/.test(given) ? Number(given) : Number.NaN;
    return number >= min && number <= max ? number : new Unfit(`must be a whole number from ${min} to ${max}`);
  });
}

/** A part of a whole: `0`, `0.05`, `1`. */
export function share(): SettingValue<number> {
  return value('number from 0 to 1', (given) => {
    const number = /^\d+(\.\d+)?$/.test(given) ? Number(given) : Number.NaN;
    return number <= 1 ? number : new Unfit('must be a number from 0 to 1, such as 0.05');
  });
}

/** `true` or `false`. */
export function flag(): SettingValue<boolean> {
  return value('true or false', (given) =>
    given === 'true' || given === 'false' ? given === 'true' : new Unfit('must be true or false'),
  );
}

/** One of these words. */
export function oneOf<const Word extends string>(...words: Word[]): SettingValue<Word> {
  return value(
    words.join(', '),
    (given) => words.find((word) => word === given) ?? new Unfit(`must be one of: ${words.join(', ')}`),
  );
}

/** An absolute URL with one of these schemes (`url('redis', 'rediss')`), or with any if none is named. Stays text. */
export function url(...schemes: string[]): SettingValue<string> {
  const example =
    schemes.length === 0 ? 'a URL' : `a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`;
  return value(schemes.length === 0 ? 'URL' : schemes.map((scheme) => `${scheme}://…`).join(' or '), (given) => {
    if (!URL.canParse(given) || !given.includes('://')) return new Unfit(`must be ${example}`);
    const scheme = new URL(given).protocol.slice(0, -1);
    return schemes.length === 0 || schemes.includes(scheme) ? given : new Unfit(`must be ${example}`);
  });
}

/** `host:port`, `[::1]:port` or `unix:/path`. */
export function listenAddress(): SettingValue<ListenAddress> {
  return value(
    'host:port or unix:/path',
    (given) =>
      parseListenAddress(given) ??
      new Unfit('must be host:port, [IPv6]:port or unix:/absolute/path of at most 103 bytes; 0.0.0.0 listens everywhere'),
  );
}

/** Words parted by commas; blanks around them and empty ones do not count. At least one. */
export function list(): SettingValue<readonly string[]> {
  return value('list parted by commas', (given) => {
    const words = given.split(',').map((word) => word.trim());
    const kept = words.filter((word) => word !== '');
    return kept.length > 0 ? kept : new Unfit('must be a list parted by commas');
  });
}

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const HEADER_VALUE = /^[\x20-\x7e]+$/;

/** `name=value` parted by commas, values percent-encoded, as OpenTelemetry writes headers → values by names in lower case. */
export function headers(): SettingValue<Readonly<Record<string, string>>> {
  return value('name=value parted by commas', (given) => {
    const pairs = given.split(',').map(headerOf);
    const read = pairs.filter((pair) => pair !== undefined);
    if (read.length === pairs.length) return Object.fromEntries(read);
    return new Unfit('must be name=value, parted by commas, each value percent-encoded and in ASCII');
  });
}

function headerOf(pair: string): readonly [string, string] | undefined {
  const at = pair.indexOf('=');
  const name = pair.slice(0, Math.max(0, at)).trim().toLowerCase();
  const decoded = decodedOf(pair.slice(at + 1).trim());
  if (!HEADER_NAME.test(name) || decoded === undefined || !HEADER_VALUE.test(decoded)) return undefined;
  return [name, decoded];
}

function decodedOf(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

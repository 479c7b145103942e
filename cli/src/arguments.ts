import { wrongUse } from './cli-error.js';
import type { Arguments } from './command.js';
import { quoted } from './printable.js';

/** One text, without the blanks around it; undefined where it was not given. */
export function textArgument(args: Arguments, name: string): string | undefined {
  const value = args[name];
  if (value === undefined) return undefined;
  if (typeof value === 'object') throw wrongUse(`--${name} was given more than once.`);
  const text = String(value).trim();
  if (text === '') throw wrongUse(`--${name} is empty.`);
  return text;
}

export function requiredText(args: Arguments, name: string): string {
  const text = textArgument(args, name);
  if (text === undefined) throw wrongUse(`--${name} is required.`);
  return text;
}

/** An option that may be given several times; undefined where it was not given. */
export function listArgument(args: Arguments, name: string): readonly string[] | undefined {
  const value = args[name];
  if (value === undefined || typeof value === 'boolean') return undefined;
  return typeof value === 'string' ? [value] : value.map(String);
}

/** Whether a flag was given; of one that was given twice, the last. */
export function flagArgument(args: Arguments, name: string): boolean {
  const value: unknown = args[name];
  return Array.isArray(value) ? value.at(-1) === true : value === true;
}

/** `--name` or `--no-name`; undefined where neither was given. */
export function eitherFlag(args: Arguments, name: string): boolean | undefined {
  const [isOn, isOff] = [flagArgument(args, name), flagArgument(args, `no-${name}`)];
  if (isOn && isOff) throw wrongUse(`--${name} and --no-${name} exclude each other.`);
  return isOn || isOff ? isOn : undefined;
}

/** Digits only: what else JavaScript takes for a number (1e3, 0x10, ' 7') is more likely a mistake. */
export function wholeNumber(args: Arguments, name: string): number | undefined {
  const text = textArgument(args, name);
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw wrongUse(`--${name} takes a whole number, not ${quoted(text)}.`);
  return Number(text);
}

/** A whole number, or `none`, which is null. */
export function numberOrNone(args: Arguments, name: string): number | null | undefined {
  return args[name] === 'none' ? null : wholeNumber(args, name);
}

const MS_PER_UNIT: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration with its unit, or 0, in milliseconds; undefined where it was not given. */
export function durationMs(args: Arguments, name: string): number | undefined {
  const text = textArgument(args, name);
  if (text === undefined) return undefined;
  if (text === '0') return 0;
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (count === undefined || unit === undefined)
    throw wrongUse(`--${name} takes a duration with its unit, such as 30m, 24h or 7d, or 0; not ${quoted(text)}.`);
  return Number(count) * (MS_PER_UNIT[unit] as number);
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?Z$/;

/** A day (its first moment) or a moment, in UTC; undefined where it was not given. */
export function utcTime(args: Arguments, name: string): Date | undefined {
  const text = textArgument(args, name);
  if (text === undefined) return undefined;
  const time = new Date(DAY.test(text) ? `${text}T00:00:00Z` : MOMENT.test(text) ? text : Number.NaN);
  // Date takes the 31st of February for a day in March, and 24:00 for the next day.
  if (Number.isNaN(time.getTime()) || time.toISOString().slice(0, 10) !== text.slice(0, 10))
    throw wrongUse(`--${name} takes a UTC day (2026-11-23) or moment (2026-11-23T09:30:00Z), not ${quoted(text)}.`);
  return time;
}

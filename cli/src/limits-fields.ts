import { dayQuotaLastsMinutes, type Limits, type LimitsOverride } from '@tollgate/domain/limits';
import type { LimitsPatch } from '@tollgate/postgres/limit-columns';
import { eitherFlag, numberOrNone, wholeNumber } from './arguments.js';
import { wrongUse } from './cli-error.js';
import type { Arguments, Option } from './command.js';
import { numberColumn, shownNumber } from './view.js';

export const LIMIT_OPTIONS = {
  'per-minute': { type: 'string', value: 'N', describe: 'Requests a minute.' },
  burst: {
    type: 'string',
    value: 'N',
    describe: 'Size of the bucket: requests at once. Without it the ratio to the rate stays.',
  },
  'per-day': { type: 'string', value: 'N', describe: 'Requests a UTC day.' },
  'per-month': { type: 'string', value: 'N', describe: 'Requests a billing month; none takes the limit away.' },
  shadow: { type: 'boolean', describe: 'Count these limits and tell of them, and let every request through.' },
  'no-shadow': { type: 'boolean', describe: 'Enforce these limits.' },
} satisfies Record<string, Option>;

const COLUMNS = { 'Per minute': 'per_minute', Burst: 'burst', 'Per day': 'per_day', 'Per month': 'per_month' };

/** Columns of the four limits, which stand in the row itself or in its field of this name. */
export function limitColumns(within?: string) {
  return Object.entries(COLUMNS).map(([title, field]) =>
    numberColumn(title, within === undefined ? field : `${within}.${field}`),
  );
}

export function limitFields(within?: string): string[] {
  return Object.values(COLUMNS).map((field) => (within === undefined ? field : `${within}.${field}`));
}

/** The four limits as they stand in JSON; null where there is none. */
export function limitFieldsRow({ perMinute, burst, perDay, perMonth }: LimitsOverride): Record<string, number | null> {
  return { per_minute: perMinute ?? null, burst: burst ?? null, per_day: perDay ?? null, per_month: perMonth ?? null };
}

/** Throws where none of the options was given. */
export function requiredLimitsPatch(args: Arguments): LimitsPatch {
  const patch = limitsPatch(args);
  if (Object.keys(patch).length > 0) return patch;
  throw wrongUse('Say what to set: --per-minute, --burst, --per-day, --per-month, --shadow or --no-shadow.');
}

/** What the options change; a part that was not given is not in it. */
function limitsPatch(args: Arguments): LimitsPatch {
  const given: LimitsPatch = {};
  const [perMinute, burst, perDay] = [wholeNumber(args, 'per-minute'), wholeNumber(args, 'burst'), wholeNumber(args, 'per-day')];
  const perMonth = numberOrNone(args, 'per-month');
  if (perMinute !== undefined) given.perMinute = perMinute;
  if (burst !== undefined) given.burst = burst;
  if (perDay !== undefined) given.perDay = perDay;
  if (perMonth !== undefined) given.perMonth = perMonth;
  const isShadow = eitherFlag(args, 'shadow');
  if (isShadow !== undefined) given.isShadow = isShadow;
  return given;
}

/** Few people expect how soon a day's quota is gone. */
export function quotaAdvice(limits: Limits): string {
  const minutes = Math.floor(dayQuotaLastsMinutes(limits));
  if (minutes >= 24 * 60) return 'At full rate, the limit per day is never reached.';
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  const time = hours === 0 ? `${rest} min` : `${hours} h ${rest} min`;
  return `At full rate, the ${shownNumber(limits.perDay)} requests of a day last ${time}.`;
}

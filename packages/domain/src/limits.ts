/** What an organization or a key may use: a bucket refilled per minute, a quota per UTC day, maybe one per month. */
export interface Limits {
  perMinute: number;
  /** The size of the minute bucket, in requests. */
  burst: number;
  perDay: number;
  /** Counted from the organization's billing anchor day. */
  perMonth?: number;
}

/**
 * What replaces parts of a plan. A missing part is the plan's. `isShadow` is said of all limits of the organization, or of a
 * key's own: an organization without one does as its plan, a key's own limits without one are enforced.
 */
export interface LimitsOverride extends Partial<Limits> {
  isShadow?: boolean;
}

export interface Plan extends Limits {
  name: string;
  /** In shadow, limits are counted and told, and deny nobody. */
  isShadow: boolean;
}

/** All that decides what an organization's requests are limited to. */
export interface OrganizationLimits {
  plan: Limits & { isShadow?: boolean };
  override: LimitsOverride;
  /** The day of the month on which a month quota starts anew, 1 to 31. */
  billingAnchorDay: number;
  /** Limits of single keys, by key id: they hold beside the organization's, never instead of them. */
  keyLimits: ReadonlyMap<string, LimitsOverride>;
}

const MAX_BURST_RATIO = 10;
/** Above it whole numbers are no longer exact in every place that they pass through (Lua's doubles, JSON). */
const MAX_LIMIT = 1_000_000_000_000;

/** The limits in force. A changed rate without a burst of its own keeps the plan's ratio of burst to rate. */
export function effectiveLimits(plan: Limits, override: LimitsOverride = {}): Limits {
  const perMinute = override.perMinute ?? plan.perMinute;
  const perMonth = override.perMonth ?? plan.perMonth;
  return {
    perMinute,
    burst: override.burst ?? Math.max(1, Math.round((perMinute * plan.burst) / plan.perMinute)),
    perDay: override.perDay ?? plan.perDay,
    ...(perMonth === undefined ? {} : { perMonth }),
  };
}

/** Whether an organization's limits are in shadow: as it says itself, else as its plan says. */
export function isInShadow(plan: { isShadow?: boolean }, override: LimitsOverride = {}): boolean {
  return override.isShadow ?? plan.isShadow ?? false;
}

/** Every mistake in these limits, in words for a person; empty where there is none. */
export function limitProblems(limits: Limits): string[] {
  const problems: string[] = [];
  for (const [part, words] of Object.entries(WORDS) as [keyof Limits, string][]) {
    const value = limits[part];
    if (value === undefined) continue;
    if (!Number.isInteger(value) || value < 1) problems.push(`${words} must be a whole number of at least 1`);
    else if (value > MAX_LIMIT) problems.push(`${words} must be at most ${MAX_LIMIT}`);
  }
  if (problems.length > 0) return problems;
  if (limits.perDay < limits.perMinute) problems.push('the limit per day must not be below the limit per minute');
  if (limits.perMonth !== undefined && limits.perMonth < limits.perDay)
    problems.push('the limit per month must not be below the limit per day');
  if (limits.burst > MAX_BURST_RATIO * limits.perMinute)
    problems.push(`the burst must be at most ${MAX_BURST_RATIO} times the limit per minute`);
  return problems;
}

/** How many minutes a day quota lasts for a caller at full rate who begins with a full bucket. */
export function dayQuotaLastsMinutes(limits: Limits): number {
  return Math.max(0, limits.perDay - limits.burst) / limits.perMinute;
}

const WORDS: Record<keyof Limits, string> = {
  perMinute: 'the limit per minute',
  burst: 'the burst',
  perDay: 'the limit per day',
  perMonth: 'the limit per month',
};

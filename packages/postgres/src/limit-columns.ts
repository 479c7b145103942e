import type { Limits, LimitsOverride } from '@tollgate/domain/limits';

/** The columns of limits as the driver reads them: bigint arrives as text. */
export interface LimitColumns {
  per_minute: string | null;
  burst: string | null;
  per_day: string | null;
  per_month: string | null;
}

export interface ShadowColumn {
  is_shadow: boolean | null;
}

/** A change of some limits: a missing part stays, null takes it away. `isShadow` stays until it is said otherwise, or cleared. */
export type LimitsPatch = { [Part in keyof Limits]?: number | null } & { isShadow?: boolean };

/** What is set, without the parts that are null. */
export function overrideOf(row: LimitColumns & Partial<ShadowColumn>): LimitsOverride {
  return {
    ...(row.per_minute === null ? {} : { perMinute: Number(row.per_minute) }),
    ...(row.burst === null ? {} : { burst: Number(row.burst) }),
    ...(row.per_day === null ? {} : { perDay: Number(row.per_day) }),
    ...(row.per_month === null ? {} : { perMonth: Number(row.per_month) }),
    ...(typeof row.is_shadow === 'boolean' ? { isShadow: row.is_shadow } : {}),
  };
}

/** Of a plan, where only the month may be missing. */
export function limitsOf(row: LimitColumns): Limits {
  const { perMonth } = overrideOf(row);
  return {
    perMinute: Number(row.per_minute),
    burst: Number(row.burst),
    perDay: Number(row.per_day),
    ...(perMonth === undefined ? {} : { perMonth }),
  };
}

export function columnsOf({ perMinute, burst, perDay, perMonth, isShadow }: LimitsOverride): (number | boolean | null)[] {
  return [perMinute ?? null, burst ?? null, perDay ?? null, perMonth ?? null, isShadow ?? null];
}

/** A new rate without a burst of its own gives up the old burst too, so that the plan's ratio holds again. */
export function patched(current: LimitsOverride, patch: LimitsPatch): LimitsOverride {
  const given = Object.entries(patch).filter(([, value]) => value !== undefined);
  const burst = patch.perMinute !== undefined && patch.burst === undefined ? { burst: null } : {};
  const merged = { ...current, ...Object.fromEntries(given), ...burst };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
}

/** The units of envoyproxy/ratelimit: a month is 30 days there and a year 365, and none of them knows a calendar. */
export const UNIT_SECONDS = {
  second: 1,
  minute: 60,
  hour: 3_600,
  day: 86_400,
  week: 604_800,
  month: 2_592_000,
  year: 31_536_000,
} as const;

export type Unit = keyof typeof UNIT_SECONDS;

export const UNITS = Object.keys(UNIT_SECONDS) as readonly Unit[];

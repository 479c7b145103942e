import type { Acceptance, Figures } from './fault.js';

export interface Check extends Acceptance {
  measured: number | undefined;
  /** Undefined where this run does not judge it. */
  holds: boolean | undefined;
}

/** Without those that came out as no number, such as a percentile of nothing: they were not measured. */
export function numbersOf({ n, ...more }: Figures): Figures {
  return { n, ...Object.fromEntries(Object.entries(more).filter(([, value]) => Number.isFinite(value))) };
}

/** A figure that is missing is no pass, nor is one that is no number. */
export function judge(acceptance: readonly Acceptance[], figures: Figures, judgesTimes: boolean): Check[] {
  return acceptance.map((each) => {
    const measured = figures[each.figure];
    const holds = measured !== undefined && measured >= (each.atLeast ?? -Infinity) && measured <= (each.atMost ?? Infinity);
    return { ...each, measured, holds: each.isTime === true && !judgesTimes ? undefined : holds };
  });
}

export function isHeld(checks: readonly Check[]): boolean {
  return checks.some(({ holds }) => holds === true) && checks.every(({ holds }) => holds !== false);
}

export function told({ what, atMost, atLeast, measured }: Check): string {
  const bounds = [atLeast === undefined ? [] : `≥ ${atLeast}`, atMost === undefined ? [] : `≤ ${atMost}`].flat().join(' and ');
  return `${what}: ${measured === undefined ? 'not measured' : shown(measured)} (${bounds})`;
}

/** With how it went, for the page. */
export function lineOf(check: Check): string {
  if (check.holds === undefined) return `- ${told(check)}, not judged`;
  return `- ${told(check)}${check.holds ? '' : ' – **broken**'}`;
}

export function shown(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en-US') : value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}

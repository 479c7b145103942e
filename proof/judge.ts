import type { Acceptance, Figures, Run } from './fault.js';

export interface Check extends Acceptance {
  measured: number | undefined;
  /** Undefined where this size of run does not hold it. */
  holds: boolean | undefined;
}

/** A figure that is missing is no pass, nor is one that is no number. */
export function judge(acceptance: readonly Acceptance[], figures: Figures, size: Run['size']): Check[] {
  return acceptance.map((each) => {
    const measured = figures[each.figure];
    const holds = measured !== undefined && measured >= (each.atLeast ?? -Infinity) && measured <= (each.atMost ?? Infinity);
    return { ...each, measured, holds: each.isTime === true && size === 'small' ? undefined : holds };
  });
}

export function isHeld(checks: readonly Check[]): boolean {
  return checks.some(({ holds }) => holds === true) && checks.every(({ holds }) => holds !== false);
}

export function told({ what, atMost, atLeast, measured }: Check): string {
  const bounds = [atLeast === undefined ? [] : `≥ ${atLeast}`, atMost === undefined ? [] : `≤ ${atMost}`].flat().join(' and ');
  return `${what}: ${measured === undefined ? 'not measured' : shown(measured)} (${bounds})`;
}

export function shown(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en-US') : value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}

/** What several rounds, or many calls, come to. */

export interface Spread {
  median: number;
  min: number;
  max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [below = Number.NaN, above = below] = sorted.slice(Math.ceil(sorted.length / 2) - 1, Math.floor(sorted.length / 2) + 1);
  return { median: (below + above) / 2, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0 };
}

/** `median (least–most)`, small figures with one digit after the point where nothing else is said. */
export function shownSpread(values: readonly number[], digits?: number): string {
  const { median, min, max } = spreadOf(values);
  const places = digits ?? (median < 20 ? 1 : 0);
  return `${median.toFixed(places)} (${min.toFixed(places)}–${max.toFixed(places)})`;
}

/** The value that the share of all do not exceed; NaN of none. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

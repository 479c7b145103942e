/** How many events, and the XOR of their ids: cheap on both sides, and equal for different sets only by a chance of 2^-128. */
export interface Totals {
  requests: number;
  idsXor: bigint;
}

/** The organizations of which not exactly those events are stored that were witnessed. */
export function differing(witnessed: ReadonlyMap<string, Totals>, stored: ReadonlyMap<string, Totals>): string[] {
  return [...witnessed]
    .filter(([organizationId, { requests, idsXor }]) => {
      const found = stored.get(organizationId);
      return found === undefined || found.requests !== requests || found.idsXor !== idsXor;
    })
    .map(([organizationId]) => organizationId);
}

/** Totals of disjoint sets. */
export function sumOf(parts: readonly Totals[]): Totals {
  return parts.reduce((sum, { requests, idsXor }) => ({ requests: sum.requests + requests, idsXor: sum.idsXor ^ idsXor }), {
    requests: 0,
    idsXor: 0n,
  });
}

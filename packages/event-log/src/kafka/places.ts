/** How far one partition is stored, and how far it goes, as far as is known. */
export interface Place {
  readonly partition: number;
  /** What is read next: everything before it is stored. */
  position: bigint;
  /** The offset that the next record will have. */
  high: bigint;
  /** Where records went on after a hole that was met once: a second meeting shows that nothing is in it. */
  holeEnd?: bigint;
  /** Doubles with each rejected store. */
  pauseMs: number;
}

/** The partitions that this reader has at the moment. */
export interface Places {
  /** Undefined while none are dealt to it. */
  all(): readonly Place[] | undefined;
  of(partition: number): Place | undefined;
  replace(places: readonly Place[] | undefined): void;
  lag(): number;
}

export function createPlaces(): Places {
  let places: readonly Place[] | undefined;
  return {
    all: () => places,
    of: (partition) => places?.find((place) => place.partition === partition),
    replace: (assigned) => {
      places = assigned;
    },
    lag: () => (places ?? []).reduce((sum, { position, high }) => sum + Math.max(0, Number(high - position)), 0),
  };
}

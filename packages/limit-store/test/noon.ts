/** A moment with a fraction, far from the edges of its day and month. */
export const NOON = Date.UTC(2027, 1, 10, 12) + 0.25;

/** Calls that ended before their peer had said all: what still comes of them is no fault. */
export interface CutShort {
  add(stream: number): void;
  has(stream: number): boolean;
  delete(stream: number): void;
}

const MAX_REMEMBERED = 10_000;

/** The oldest are forgotten: most peers say nothing more of them. */
export function rememberCutShort(): CutShort {
  const streams = new Set<number>();
  return {
    add(stream) {
      streams.add(stream);
      if (streams.size > MAX_REMEMBERED) streams.delete(streams.values().next().value as number);
    },
    has: (stream) => streams.has(stream),
    delete: (stream) => void streams.delete(stream),
  };
}

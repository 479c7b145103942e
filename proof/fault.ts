/** What a fault is: the harm, what is counted while it is done, what must hold, and the mutant that shows that it would be seen. */

/** By name; those that the report has columns for, and others of the fault's own. A figure that nobody took is missing. */
export interface Figures {
  /** How many requests or events were counted. */
  n: number;
  lost?: number;
  doubled?: number;
  /** Answers and rows that should not be: strangers let in, good keys refused, sums that are off. */
  wrong?: number;
  p50Ms?: number;
  p99Ms?: number;
  p999Ms?: number;
  recoveryMs?: number;
  [more: string]: number | undefined;
}

export interface Acceptance {
  figure: string;
  /** What the figure is, for people. */
  what: string;
  atMost?: number;
  atLeast?: number;
  /** Times, and memory: held only in a whole run on a calm machine. Counts are held always. */
  isTime?: true;
}

export interface Run {
  size: 'small' | 'full';
  /** Requests a second of the probe. */
  rate: number;
  seed: number;
  say(line: string): void;
  /** Called when the fault is over, the last first. */
  onEnd(close: () => Promise<unknown>): void;
}

export interface Mutant {
  /** The protection that is off. */
  title: string;
  /** The figure by which it must be found out. */
  breaks: string;
  run(run: Run): Promise<Figures>;
}

export interface Fault {
  id: string;
  title: string;
  /** Required behaviour, in a sentence. */
  promise: string;
  acceptance: readonly Acceptance[];
  run(run: Run): Promise<Figures>;
  mutant: Mutant;
  /** Short enough for every change: it belongs to `--small`. */
  isSmall?: true;
  /** Why it cannot be run on this machine; undefined where it can. */
  obstacle?(): Promise<string | undefined>;
}

/** The small number in `--small`, the large one in a whole run. */
export function sized({ size }: Run, small: number, full: number): number {
  return size === 'small' ? small : full;
}

import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { withDeadline } from '@tollgate/service-kit/deadline';
import type { Fault, Figures, Run } from './fault.js';
import { type Check, isHeld, judge, numbersOf, told } from './judge.js';

export interface RunOptions {
  size: Run['size'];
  /** False where the machine is busy with other things: then counts alone are judged. */
  judgesTimes: boolean;
  rate: number;
  seed: number;
  say(line: string): void;
  /** Ends the run that is under way, with its processes. */
  signal?: AbortSignal;
}

export interface FaultResult {
  id: string;
  title: string;
  promise: string;
  outcome: 'held' | 'broken' | 'not run';
  /** Why it was not run, or what ended it. */
  reason?: string;
  figures?: Figures;
  checks?: Check[];
  mutant: MutantResult;
  seed: number;
  seconds: number;
}

export interface MutantResult {
  title: string;
  breaks: string;
  outcome: 'found out' | 'missed' | 'not run';
  reason?: string;
  measured?: number;
}

/** Runs one fault, and then its mutant. Rejects for no failure of theirs: it is told in the result. */
export async function runFault(fault: Fault, options: RunOptions): Promise<FaultResult> {
  const { id, title, promise } = fault;
  const beganMs = performance.now();
  const seconds = () => Math.round((performance.now() - beganMs) / 1000);
  const about = { id, title, promise, seed: options.seed };
  const obstacle = await fault.obstacle?.();
  const { say } = options;
  if (obstacle !== undefined) {
    say(`${id} ${title}: not run, ${obstacle}`);
    const mutant = { ...mutantOf(fault), outcome: 'not run', reason: obstacle } as const;
    return { ...about, outcome: 'not run', reason: obstacle, mutant, seconds: 0 };
  }
  say(`${id} ${title} …`);
  const part = await withMutantNotRun(fault, options);
  const mutant = part.outcome === 'held' ? await runMutant(fault, options) : part.mutant;
  say(`${id} ${part.outcome}, its mutant ${mutant.outcome}, after ${seconds()} s`);
  return { ...about, ...part, mutant, seconds: seconds() };
}

type Part = Pick<FaultResult, 'outcome' | 'reason' | 'figures' | 'checks' | 'mutant'>;

async function withMutantNotRun(fault: Fault, options: RunOptions): Promise<Part> {
  const mutant = { ...mutantOf(fault), outcome: 'not run', reason: 'the fault itself did not hold' } as const;
  try {
    const figures = numbersOf(await withCleanUp(options, (run) => fault.run(run)));
    const checks = judge(fault.acceptance, figures, options.judgesTimes);
    for (const check of checks.filter(({ holds }) => holds === false)) options.say(`${fault.id} is broken: ${told(check)}`);
    return { outcome: isHeld(checks) ? 'held' : 'broken', figures, checks, mutant };
  } catch (error) {
    options.say(`${fault.id} ended with an error: ${String(error)}`);
    return { outcome: 'broken', reason: String(error), mutant };
  }
}

/** It must be found out by the figure that it breaks: a run that ends with an error shows nothing. */
async function runMutant(fault: Fault, options: RunOptions): Promise<MutantResult> {
  const about = mutantOf(fault);
  options.say(`${fault.id} with ${about.title} …`);
  try {
    const figures = numbersOf(await withCleanUp(options, (run) => fault.mutant.run(run)));
    const broken = judge(fault.acceptance, figures, true).filter(({ figure }) => figure === about.breaks);
    const isFoundOut = broken.some(({ holds, measured }) => holds === false && measured !== undefined);
    const measured = figures[about.breaks];
    return { ...about, outcome: isFoundOut ? 'found out' : 'missed', ...(measured === undefined ? {} : { measured }) };
  } catch (error) {
    options.say(`${fault.id} with ${about.title} ended with an error: ${String(error)}`);
    return { ...about, outcome: 'missed', reason: String(error) };
  }
}

function mutantOf({ mutant: { title, breaks } }: Fault): Pick<MutantResult, 'title' | 'breaks'> {
  return { title, breaks };
}

/** Longer than any fault takes: one that hangs is told, and the next has its turn. */
const RUN_DEADLINE_MS = { small: 600_000, full: 2_400_000 };
const CLOSE_DEADLINE_MS = 120_000;

/**
 * Does the work, and then closes what it opened, the last first. Rejects as the work does, when the run is ended, and at the
 * deadline. What cannot be closed is told, and is no failure of the work.
 */
export async function withCleanUp<Found>(
  options: RunOptions,
  work: (run: Run) => Promise<Found>,
  deadlineMs = RUN_DEADLINE_MS[options.size],
): Promise<Found> {
  const closers: (() => Promise<unknown>)[] = [];
  const over = new AbortController();
  const close = async (closer: () => Promise<unknown>): Promise<void> => {
    const closing = withDeadline(Promise.resolve().then(closer), CLOSE_DEADLINE_MS, 'a part');
    await closing.catch((error: unknown) => options.say(`  not closed: ${String(error)}`));
  };
  // Work that was given up may still open something.
  const onEnd = (closer: () => Promise<unknown>) => (over.signal.aborted ? void close(closer) : void closers.push(closer));
  try {
    const ends = [
      tooLate(deadlineMs, over.signal),
      ...(options.signal === undefined ? [] : [ended(options.signal, over.signal)]),
    ];
    return await Promise.race([work({ ...options, onEnd }), ...ends]);
  } finally {
    over.abort();
    for (const closer of closers.reverse()) await close(closer);
  }
}

/** Rejects when the run is ended; leaves no listener behind when `over` comes first, where nobody waits for it any more. */
async function ended(ending: AbortSignal, over: AbortSignal): Promise<never> {
  if (!ending.aborted) await once(ending, 'abort', { signal: over });
  throw new Error('the run was ended');
}

async function tooLate(deadlineMs: number, over: AbortSignal): Promise<never> {
  await pause(deadlineMs, undefined, { signal: over });
  throw new Error(`it was not over within ${deadlineMs / 1000} s`);
}

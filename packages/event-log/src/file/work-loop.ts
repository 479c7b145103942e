import { setImmediate as nextTick } from 'node:timers/promises';

export interface WorkLoop {
  /** Asks for a run. What a tick asks for shares one run; what is asked during a run causes one more. */
  wake(): void;
  /** Resolves when nothing is asked for. */
  idle(): Promise<void>;
}

/** Runs `work` when it is asked to, never twice at once. `work` must not reject. */
export function createWorkLoop(work: () => Promise<void>): WorkLoop {
  let running: Promise<void> | undefined;
  let isWanted = false;
  const run = async () => {
    while (isWanted) {
      await nextTick();
      isWanted = false;
      await work();
    }
    running = undefined;
  };
  return {
    wake: () => {
      isWanted = true;
      running ??= run();
    },
    idle: async () => {
      await running;
    },
  };
}

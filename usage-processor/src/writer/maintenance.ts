/** Something to do now and again in an hour; returns how much of it there was. */
export interface Chore {
  name: string;
  run(nowMs: number): Promise<number>;
}

const EVERY_MS = 3_600_000;

/** Does the chores one after the other, now and every hour. A chore that fails waits for the next hour; the others go on. */
export function startMaintenance(
  chores: readonly Chore[],
  tell: { done: (name: string, count: number) => void; failed: (name: string, error: unknown) => void },
): { stop(): Promise<void> } {
  let isStopped = false;
  const round = async () => {
    for (const { name, run } of chores) {
      if (isStopped) return;
      try {
        tell.done(name, await run(Date.now()));
      } catch (error) {
        tell.failed(name, error);
      }
    }
  };
  let rounds = round();
  const timer = setInterval(() => {
    rounds = rounds.then(round);
  }, EVERY_MS);
  timer.unref();
  return {
    stop: async () => {
      isStopped = true;
      clearInterval(timer);
      await rounds;
    },
  };
}

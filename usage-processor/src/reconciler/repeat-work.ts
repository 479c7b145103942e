export interface RepeatedWork {
  /** Why the last round failed. */
  problem(): string | undefined;
  /** Resolves when the signal has come and the round under way has ended. */
  ended: Promise<void>;
}

/** Does the work again and again, with a pause after each round; one that fails is told and repeated. Never rejects. */
export function repeatWork(
  work: () => Promise<void>,
  how: { everyMs: number; signal: AbortSignal; onFailure: (error: unknown) => void },
): RepeatedWork {
  let problem: string | undefined;
  const run = async () => {
    while (!how.signal.aborted) {
      try {
        await work();
        problem = undefined;
      } catch (error) {
        if (how.signal.aborted) return;
        const text = error instanceof Error ? error.message : String(error);
        // Told once, and not each second for as long as it lasts.
        if (text !== problem) how.onFailure(error);
        problem = text;
      }
      await rest(how.everyMs, how.signal);
    }
  };
  return { problem: () => problem, ended: run() };
}

function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}

import type { Answer } from './http-client.js';

export interface Traffic {
  /** In the order of their arrival. */
  answers: Answer[];
  /** Why requests got no whole answer. */
  failures: Error[];
  /** Starts no further request, and resolves when those under way have ended. */
  stop(): Promise<void>;
}

/** Sends one request after the other from each of `callers` at once, until it is stopped or nobody listens any more. */
export function startTraffic(callers: number, send: () => Promise<Answer>): Traffic {
  const answers: Answer[] = [];
  const failures: Error[] = [];
  let isStopped = false;
  const caller = async () => {
    while (!isStopped) {
      try {
        answers.push(await send());
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return;
        failures.push(error as Error);
      }
    }
  };
  const ended = Promise.all(Array.from({ length: callers }, caller));
  return {
    answers,
    failures,
    stop: async () => {
      isStopped = true;
      await ended;
    },
  };
}

import { withDeadline } from './deadline.js';

/** `degraded` still serves; `down` does not. */
export interface ComponentState {
  status: 'ok' | 'degraded' | 'down';
  detail?: string;
}
export type Components = Record<string, ComponentState>;

const CHECK_DEADLINE_MS = 1000;
const KEPT_MS = 500;

/**
 * Asks the components how they are, once for all who want to know within half a second, and not again before the last
 * question is answered: probes cannot pile up on a component in trouble. Never rejects.
 */
export function createReadiness(check: () => Promise<Components>): (nowMs: number) => Promise<Components> {
  let asked: { atMs: number; answer: Promise<Components>; isPending: boolean } | undefined;

  function ask(nowMs: number): Promise<Components> {
    const isCurrent = asked !== undefined && (asked.isPending || Math.abs(nowMs - asked.atMs) < KEPT_MS);
    if (!isCurrent) {
      const question = { atMs: nowMs, isPending: true, answer: Promise.resolve().then(check) };
      question.answer
        .catch(() => {})
        .finally(() => {
          question.isPending = false;
        });
      asked = question;
    }
    return (asked as NonNullable<typeof asked>).answer;
  }

  return (nowMs) =>
    withDeadline(ask(nowMs), CHECK_DEADLINE_MS, 'asking the components').catch((error: unknown) => ({
      check: { status: 'down', detail: error instanceof Error ? error.message : 'failed' },
    }));
}

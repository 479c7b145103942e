import { until } from '@tollgate/testing/until';
import type { Cluster } from '../e2e/cluster.js';
import type { Figures } from './fault.js';
import { type Answered, count, isFailed, isUnlimited, type Probe, TIGHT, wrongAnswers } from './probe.js';
import { accountOf } from './usage-account.js';

const BACK_DEADLINE_MS = 60_000;

/** What is counted whatever the fault: the probe's requests, and the usage of those that are billed. */
export async function countedFigures(cluster: Cluster, answers: readonly Answered[], quietMs?: number): Promise<Figures> {
  return {
    n: answers.length,
    ...(await accountOf(cluster, answers, quietMs)),
    wrong: wrongAnswers(answers, cluster),
    failed: count(answers, isFailed),
    unlimited: count(answers, isUnlimited),
  };
}

/** How many more passed in this time than the tight limit lets through. */
export function excessOf(passed: number, seconds: number): number {
  return Math.max(0, passed - TIGHT.burst - Math.ceil((seconds * TIGHT.perMinute) / 60));
}

/** The same of all that was answered to the caller with the tight limit. */
export function excessIn(answers: readonly Answered[]): number {
  const passed = count(answers, ({ caller, status }) => caller === 'tight' && status === 200);
  const seconds = (Math.max(...answers.slice(-100).map(({ endedAtMs }) => endedAtMs)) - (answers[0]?.sentAtMs ?? 0)) / 1000;
  return excessOf(passed, seconds);
}

/** Resolves when Redis has decided a request that was sent after `backMs`, with how long that took. */
export async function untilRedisDecides(probe: Probe, backMs: number, deadlineMs = BACK_DEADLINE_MS): Promise<number> {
  const isByRedis = () => probe.answers.findLast(({ isLimited, isDegraded }) => isLimited && !isDegraded);
  await until(() => (isByRedis()?.sentAtMs ?? 0) > backMs, deadlineMs, 'a decision by Redis');
  return Date.now() - backMs;
}

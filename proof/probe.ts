/** The callers: a steady number of requests a second, most with good keys, some with tight limits, and strangers among them. */
import { generateApiKey } from '@tollgate/domain/api-key';
import { until } from '@tollgate/testing/until';
import type { Cluster } from '../e2e/cluster.js';
import type { Key } from '../e2e/operator.js';
import { type Outcome, sendSteadily } from '../e2e/steady-load.js';

export type Caller = 'keyed' | 'tight' | 'without' | 'unknown';

/** Of an answer only what is counted, as there may be millions. */
export interface Answered {
  caller: Caller;
  status: number;
  code: string;
  requestId: string;
  sentAtMs: number;
  endedAtMs: number;
  tookMs: number;
  isLimited: boolean;
  isDegraded: boolean;
}

export interface Probe {
  answers: Answered[];
  key: Key;
  tight: Key;
  /** Resolves when so many seconds have gone by. */
  seconds(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** A stranger's request, or one that nobody put a name to, must never get there. */
export function isStranger({ path, headers }: { path: string; headers: Record<string, unknown> }): boolean {
  return /^\/(without|unknown)/.test(path) || headers['x-organization-id'] === undefined;
}

export const TIGHT = { perMinute: 600, burst: 50 };
const PATIENCE_MS = 60_000;

export async function startProbe(cluster: Cluster, rate: number): Promise<Probe> {
  const { operator } = cluster;
  const [key, tight] = [await operator.newcomer('enterprise'), await operator.newcomer('basic')];
  await operator.setLimits(key.organizationId, { perMinute: 100_000_000, burst: 100_000_000, perDay: 100_000_000_000 });
  await operator.setLimits(tight.organizationId, { ...TIGHT, perDay: 100_000_000 });
  const unknown = generateApiKey('live');
  const headersOf = {
    keyed: { 'x-api-key': key.secret },
    tight: { 'x-api-key': tight.secret },
    unknown: { 'x-api-key': unknown },
  };
  const answers: Answered[] = [];
  const load = sendSteadily<Caller>(
    cluster.gatewayUrl,
    rate,
    (n) => {
      const kind = callerOf(n);
      return { kind, path: `/${kind}?n=${n}`, headers: kind === 'without' ? {} : headersOf[kind] };
    },
    (outcome) => answers.push(answered(outcome)),
  );
  return {
    ...{ answers, key, tight },
    async seconds(count) {
      const endMs = performance.now() + count * 1000;
      await until(() => performance.now() >= endMs, count * 1000 + PATIENCE_MS, 'time');
    },
    stop: load.stop,
  };
}

function callerOf(n: number): Caller {
  const place = n % 20;
  if (place === 0) return 'without';
  if (place === 10) return 'unknown';
  return place % 5 === 1 ? 'tight' : 'keyed';
}

function answered({ kind, status, headers, body, sentAtMs, endedAtMs, tookMs }: Outcome<Caller>): Answered {
  return {
    ...{ caller: kind, status, sentAtMs, endedAtMs, tookMs },
    code: status < 400 ? String(status) : `${status} ${/"code":"(\w+)"/.exec(body)?.[1] ?? ''}`,
    requestId: String(headers['x-request-id'] ?? ''),
    isLimited: headers['x-ratelimit-limit-minute'] !== undefined,
    isDegraded: headers['x-ratelimit-degraded'] === 'true',
  };
}

/** Of the wrong answers. */
const SHOWN = 5;
const UNAVAILABLE = '503 authorization_unavailable';
/** What each caller may hear, whatever is broken. */
const ALLOWED: Record<Caller, readonly string[]> = {
  keyed: ['200', UNAVAILABLE],
  tight: ['200', '429 rate_limit_exceeded', UNAVAILABLE],
  without: ['401 missing_api_key', UNAVAILABLE],
  unknown: ['403 invalid_api_key', UNAVAILABLE],
};

/** Answers that no caller may hear, and strangers that reached the API. */
export function wrongAnswers(answers: readonly Answered[], cluster: Cluster): number {
  const wrong = answers.filter(({ caller, code, status }) => status !== 0 && !ALLOWED[caller].includes(code));
  for (const { caller, code } of wrong.slice(0, SHOWN)) console.error(`  ${caller} heard ${code}`);
  return wrong.length + cluster.upstream.received.filter(isStranger).length;
}

export function count(answers: readonly Answered[], is: (answer: Answered) => boolean): number {
  return answers.reduce((sum, answer) => sum + (is(answer) ? 1 : 0), 0);
}

/** Who has a key that exists. */
export const isKnown = ({ caller }: Answered): boolean => caller === 'keyed' || caller === 'tight';
/** Known, and neither served nor limited. */
export const isRefused = (answer: Answered): boolean => isKnown(answer) && answer.status !== 200 && answer.status !== 429;
export const isFailed = ({ status }: Answered): boolean => status === 0 || status >= 500;
/** Passed although no limiter had a say. */
export const isUnlimited = (answer: Answered): boolean => answer.status === 200 && !answer.isLimited && isKnown(answer);

export const during = (answers: readonly Answered[], fromMs: number, toMs: number): Answered[] =>
  answers.filter(({ sentAtMs, endedAtMs }) => sentAtMs >= fromMs && endedAtMs <= toMs);

/** Of good keys, at the caller's end. */
export function percentiles(answers: readonly Answered[]): { p50Ms: number; p99Ms: number; p999Ms: number } {
  const sorted = answers
    .filter(({ caller, status }) => caller === 'keyed' && status === 200)
    .map(({ tookMs }) => tookMs)
    .sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999) };
}

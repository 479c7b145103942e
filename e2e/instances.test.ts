import { generateApiKey } from '@tollgate/domain/api-key';
import { until } from '@tollgate/testing/until';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Cluster, type Instance, startCluster } from './cluster.js';
import type { Key } from './operator.js';
import { type Outcome, type SteadyLoad, startSteadyLoad } from './steady-load.js';

/** The promise is made for 50. */
const RESTARTS = Number(process.env['RESTARTS'] ?? 6);
const PER_SECOND = 250;
const EXIT_DEADLINE_MS = 10_000;
/** Envoy looks once a second, and believes the second look: until then a dead instance is still asked. */
const HEALTH_INTERVAL_MS = 1_000;
const NOTICED_WITHIN_MS = 2 * HEALTH_INTERVAL_MS + 500;

type Sort = 'keyed' | 'without' | 'unknown' | 'limited';

let cluster: Cluster;
let key: Key;
let tight: Key;

beforeAll(async () => {
  cluster = await startCluster({ authz: 2, ratelimit: 2, hasGateway: true, env: { DRAIN_TIME: '2500ms' } });
  key = await cluster.operator.newcomer('enterprise');
  await cluster.operator.setLimits(key.organizationId, { perMinute: 100_000_000, burst: 100_000_000, perDay: 100_000_000_000 });
  tight = await cluster.operator.newcomer('basic');
  await cluster.operator.setLimits(tight.organizationId, { perMinute: 1, burst: 5 });
  return () => cluster.close();
});

/** Good keys for the most part; strangers among them, who must get in at no moment. */
function startLoad(): SteadyLoad<Sort> {
  const unknown = generateApiKey('live');
  const load = startSteadyLoad<Sort>(cluster.gatewayUrl, PER_SECOND, (n) => {
    if (n % 10 === 0) return { kind: 'without', path: `/without?n=${n}`, headers: {} };
    if (n % 10 === 1) return { kind: 'unknown', path: `/unknown?n=${n}`, headers: { 'x-api-key': unknown } };
    if (n % 10 === 2) return { kind: 'limited', path: `/limited?n=${n}`, headers: { 'x-api-key': tight.secret } };
    return { kind: 'keyed', path: `/keyed?n=${n}`, headers: { 'x-api-key': key.secret } };
  });
  onTestFinished(load.stop);
  return load;
}

const settled = (load: SteadyLoad<Sort>, more: number) => {
  const enough = load.outcomes.length + more;
  return until(() => load.outcomes.length >= enough, 30_000, 'load');
};

const of = (load: SteadyLoad<Sort>, ...kinds: Sort[]): Outcome<Sort>[] =>
  load.outcomes.filter(({ kind }) => kinds.includes(kind));

const isLimited = ({ headers }: Outcome<Sort>): boolean => headers['x-ratelimit-limit-minute'] !== undefined;

/** Nobody was let in without a key that is known, and what failed was a 503 of ours: never a refusal of a good key. */
function expectSafeAnswers(load: SteadyLoad<Sort>): void {
  const codes = (...kinds: Sort[]) => new Set(of(load, ...kinds).map(answerCode));
  expect(notIn(codes('without'), ['401 missing_api_key', '503 authorization_unavailable'])).toEqual([]);
  expect(notIn(codes('unknown'), ['403 invalid_api_key', '503 authorization_unavailable'])).toEqual([]);
  expect(notIn(codes('keyed'), ['200', '503 authorization_unavailable'])).toEqual([]);
  expect(notIn(codes('limited'), ['200', '429 rate_limit_exceeded', '503 authorization_unavailable'])).toEqual([]);
  const strangers = cluster.upstream.received.filter(({ path }) => /^\/(without|unknown)/.test(path));
  expect(strangers).toEqual([]);
  const anonymous = cluster.upstream.received.filter(({ headers }) => headers['x-organization-id'] === undefined);
  expect(anonymous).toEqual([]);
  for (const { headers, body } of load.outcomes.filter(({ status }) => status === 503)) {
    expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(JSON.parse(body)).toMatchObject({ request_id: headers['x-request-id'] });
  }
}

function answerCode({ status, body }: Outcome<Sort>): string {
  if (status === 200 || status === 0) return status === 0 ? `none: ${body}` : '200';
  return `${status} ${(JSON.parse(body) as { error: { code: string } }).error.code}`;
}

function notIn(found: ReadonlySet<string>, allowed: readonly string[]): string[] {
  return [...found].filter((each) => !allowed.includes(each));
}

async function killOne(role: 'authz' | 'ratelimit', load: SteadyLoad<Sort>) {
  const [victim] = cluster[role] as [Instance];
  await settled(load, PER_SECOND);
  const killedMs = Date.now();
  victim.signal('SIGKILL');
  await until(async () => (await cluster.healthy(role)) === 1, 10_000, 'Envoy noticing the death');
  const noticedMs = Date.now();
  await settled(load, PER_SECOND / 2);
  await victim.start();
  await cluster.allHealthy();
  await settled(load, PER_SECOND / 2);
  await load.stop();
  return { killedMs, noticedMs };
}

test('kill -9 of one of two authz: what fails is 503 for as long as Envoy has not noticed, and nobody gets in', async () => {
  const load = startLoad();
  const { killedMs, noticedMs } = await killOne('authz', load);
  expectSafeAnswers(load);
  const failed = load.outcomes.filter(({ status }) => status === 503);
  report('authz killed', {
    failed: failed.length,
    of: load.outcomes.length,
    noticed: noticedMs - killedMs,
    spread: spread(failed, killedMs),
  });
  expect(failed.filter(({ sentAtMs, endedAtMs }) => endedAtMs < killedMs || sentAtMs > noticedMs)).toEqual([]);
  expect(noticedMs - killedMs).toBeLessThan(NOTICED_WITHIN_MS);
});

test('kill -9 of one of two ratelimits: no request fails, and those that nobody limited are marked', async () => {
  const before = await unlimitedCount();
  const load = startLoad();
  const { killedMs, noticedMs } = await killOne('ratelimit', load);
  expectSafeAnswers(load);
  expect(load.outcomes.filter(({ status }) => status === 503)).toEqual([]);
  const passed = of(load, 'keyed', 'limited').filter(({ status }) => status === 200);
  const unlimited = passed.filter((outcome) => !isLimited(outcome));
  report('ratelimit killed', {
    unlimited: unlimited.length,
    of: load.outcomes.length,
    noticed: noticedMs - killedMs,
    spread: spread(unlimited, killedMs),
  });
  expect(unlimited.filter(({ sentAtMs, endedAtMs }) => endedAtMs < killedMs || sentAtMs > noticedMs)).toEqual([]);
  expect(noticedMs - killedMs).toBeLessThan(NOTICED_WITHIN_MS);
  await until(async () => (await unlimitedCount()) - before === unlimited.length, 5_000, `${unlimited.length} marked requests`);
});

test(
  'SIGTERM of each instance in turn, again and again: no call fails',
  async () => {
    const before = await unlimitedCount();
    const load = startLoad();
    const exits: number[] = [];
    for (let round = 0; exits.length < RESTARTS; round++) {
      // One of each at once: each has another one beside it.
      await Promise.all([restart(cluster.authz, round, exits), restart(cluster.ratelimit, round, exits)]);
      await cluster.allHealthy();
    }
    await load.stop();
    report('restarts', { restarts: exits.length, calls: load.outcomes.length, exitMs: Math.max(...exits) });
    expectSafeAnswers(load);
    expect(load.outcomes.filter(({ status }) => status === 503)).toEqual([]);
    const passed = of(load, 'keyed', 'limited').filter(({ status }) => status === 200);
    expect(passed.filter((outcome) => !isLimited(outcome))).toEqual([]);
    expect(await unlimitedCount()).toBe(before);
    expect(Math.max(...exits)).toBeLessThan(EXIT_DEADLINE_MS);
  },
  60_000 + RESTARTS * 8_000,
);

test('a second SIGTERM ends a service at once, in the middle of its leave', async () => {
  const [authz, , ratelimit] = [...cluster.authz, ...cluster.ratelimit] as [Instance, Instance, Instance];
  for (const instance of [authz, ratelimit]) {
    instance.signal('SIGTERM');
    await until(async () => (await instance.page('/health/ready')).includes('unavailable'), 2_000, 'the beginning of the leave');
    instance.signal('SIGTERM');
    expect(await instance.exited()).toEqual({ code: 143, signal: null });
  }
});

async function restart(instances: readonly Instance[], round: number, exits: number[]): Promise<void> {
  const instance = instances[round % instances.length] as Instance;
  const toldMs = Date.now();
  instance.signal('SIGTERM');
  expect(await instance.exited()).toEqual({ code: 0, signal: null });
  exits.push(Date.now() - toldMs);
  await instance.start();
}

/** Usage events that no limiter had seen, as the collector counts them. */
async function unlimitedCount(): Promise<number> {
  const page = (await cluster.collector?.page('/metrics')) ?? '';
  return Number(/^tollgate_usage_events_total\{.*stage="unlimited".*\} (\d+)$/m.exec(page)?.[1]);
}

function spread(outcomes: readonly Outcome<Sort>[], sinceMs: number): string {
  const ends = outcomes.map(({ endedAtMs }) => endedAtMs - sinceMs);
  return ends.length === 0 ? 'none' : `${Math.min(...ends)}–${Math.max(...ends)} ms`;
}

function report(what: string, figures: Record<string, number | string>): void {
  console.info(
    `${what}: ${Object.entries(figures)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}`,
  );
}

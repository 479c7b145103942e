import { setTimeout as pause } from 'node:timers/promises';
import { hashApiKey } from '@tollgate/domain/api-key';
import { type SlowProxy, startSlowProxy } from '@tollgate/testing/slow-proxy';
import { until } from '@tollgate/testing/until';
import type { Cluster } from '../../e2e/cluster.js';
import { ask } from '../../e2e/http-client.js';
import { countedFigures } from '../common-figures.js';
import { type Fault, type Figures, type Run, sized } from '../fault.js';
import { metricOf } from '../instance-figures.js';
import type { MutantProgram } from '../mutants.js';
import { count, during, isRefused, type Probe, percentiles } from '../probe.js';
import { type StandOptions, startStand } from '../stand.js';

/** So many callers at once have the same key, which nobody has used before. */
const CALLERS = 50;
const HERD_EVERY_MS = 500;
const KNOWN_DEADLINE_MS = 30_000;
const BACK_DEADLINE_MS = 60_000;
/** Longer than two looks of the feed, after which no change of a key is told once more. */
const SETTLED_SECONDS = 3;

const EACH_ASKS: MutantProgram = {
  role: 'authz',
  name: 'each-asks',
  changes: [{ file: 'packages/cache/src/record-cache.ts', from: 'if (joined !== undefined) return joined;', to: 'void joined;' }],
};

export const databaseSlow: Fault = {
  id: 'F6',
  title: 'PostgreSQL is slow, first within the deadline of a look-up and then beyond it',
  promise:
    'Callers of one new key share one query; when it comes too late they hear 503, never 401 or 403; known keys notice nothing.',
  acceptance: [
    { figure: 'cold', what: `requests with new keys, ${CALLERS} at once for each, while it is slow`, atLeast: 8 * CALLERS },
    { figure: 'coldFailed', what: 'of these, not served', atMost: 0 },
    { figure: 'asked', what: 'new keys that were looked up', atLeast: 16 },
    { figure: 'queries', what: 'queries of one instance for one of these keys, the most', atMost: 1 },
    { figure: 'unavailable', what: 'requests with new keys that heard 503 while it is too slow', atLeast: 8 * CALLERS },
    { figure: 'denied', what: 'requests with new keys that heard 401 or 403 meanwhile', atMost: 0 },
    { figure: 'refused', what: 'known keys that were refused meanwhile', atMost: 0 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'unlimited', what: 'requests that nobody limited', atMost: 0 },
    { figure: 'lost', what: 'lost usage', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
    { figure: 'longestMs', what: 'longest wait for a 503, ms', atMost: 500, isTime: true },
    { figure: 'warmP99Percent', what: 'P99 of known keys, % of what it is while PostgreSQL is quick', atMost: 110, isTime: true },
    { figure: 'recoveryMs', what: 'until a new key is served when it is quick again, ms', atMost: 2_000, isTime: true },
  ],
  run: (run) => slowDatabase(run),
  mutant: {
    title: 'a cache in which each caller looks a key up by itself',
    breaks: 'queries',
    run: (run) => slowDatabase(run, { mutants: [EACH_ASKS] }),
  },
};

async function slowDatabase(run: Run, options: StandOptions = {}): Promise<Figures> {
  const line = createLines(run);
  const { cluster, probe } = await startStand(run, {
    ...options,
    // A whole run has the product's own deadline.
    env: { KEY_LOOKUP_TIMEOUT: run.size === 'small' ? '1s' : '200ms' },
    cluster: { databaseUrlFor: line.urlFor },
  });
  const herds = sized(run, 8, 30);
  const [quick, slow, tooSlow] = await newKeys(cluster, probe, herds);
  const whileQuick = await sendHerds(cluster, probe, quick);
  line.slow(sized(run, 300, 60));
  const whileSlow = await sendHerds(cluster, probe, slow);
  const asked = line.queriesOf([...quick, ...slow]);
  line.slow(sized(run, 3_000, 1_000));
  const whileTooSlow = await sendHerds(cluster, probe, tooSlow);
  line.slow(0);
  const backMs = Date.now();
  const isServed = async () => (await withKey(cluster, tooSlow[0] ?? '')).status === 200;
  await until(isServed, BACK_DEADLINE_MS, 'a new key that is served again');
  const recoveryMs = Date.now() - backMs;
  await probe.seconds(1);
  await probe.stop();
  const { answers } = probe;
  const [usual, ...meanwhile] = [whileQuick, whileSlow, whileTooSlow].map((phase) => phase.warm.p99Ms);
  return {
    ...(await countedFigures(cluster, answers)),
    cold: whileSlow.statuses.length,
    coldFailed: [...whileQuick.statuses, ...whileSlow.statuses].filter((status) => status !== 200).length,
    asked: asked.filter((queries) => queries > 0).length,
    queries: Math.max(...asked),
    unavailable: whileTooSlow.statuses.filter((status) => status === 503).length,
    denied: whileTooSlow.statuses.filter((status) => status === 401 || status === 403).length,
    refused: count(answers, isRefused),
    ...whileTooSlow.warm,
    longestMs: whileTooSlow.longestMs,
    warmP99Percent: (100 * Math.max(...meanwhile)) / (usual ?? Number.NaN),
    recoveryMs,
  };
}

/** The way of each service to PostgreSQL, and how often which key was asked for on that of each authz. */
function createLines(run: Run) {
  const proxies: SlowProxy[] = [];
  const queries: Map<string, number>[] = [];
  const countHashes = (counts: Map<string, number>) => (chunk: Buffer) => {
    for (const [hash] of chunk.toString('latin1').matchAll(/[0-9a-f]{64}/g)) counts.set(hash, (counts.get(hash) ?? 0) + 1);
  };
  return {
    async urlFor(role: string, _index: number, url: string): Promise<string> {
      const counts = new Map<string, number>();
      if (role === 'authz') queries.push(counts);
      const proxy = await startSlowProxy(url, countHashes(counts));
      run.onEnd(() => proxy.close());
      proxies.push(proxy);
      return proxy.url;
    },
    slow(ms: number): void {
      for (const proxy of proxies) proxy.slow(ms);
    },
    /** For each key the most that one instance sent. */
    queriesOf: (secrets: readonly string[]): number[] =>
      secrets.map(hashApiKey).map((hash) => Math.max(...queries.map((counts) => counts.get(hash) ?? 0))),
  };
}

/** Three times so many, that every authz has heard of. */
async function newKeys({ authz, operator }: Cluster, probe: Probe, each: number): Promise<[string[], string[], string[]]> {
  const known = () => Promise.all(authz.map((instance) => metricOf(instance, 'tollgate_known_keys')));
  const before = await known();
  const organizationId = await operator.createOrganization('enterprise');
  const secrets: string[] = [];
  while (secrets.length < 3 * each) secrets.push((await operator.createKey(organizationId)).secret);
  const areKnown = async () => (await known()).every((keys, index) => keys >= (before[index] ?? 0) + secrets.length);
  await until(areKnown, KNOWN_DEADLINE_MS, 'news of the keys');
  await probe.seconds(SETTLED_SECONDS);
  return [secrets.slice(0, each), secrets.slice(each, 2 * each), secrets.slice(2 * each)];
}

/** With each of these keys many requests at once, key after key. */
async function sendHerds(cluster: Cluster, probe: Probe, secrets: readonly string[]) {
  const fromMs = Date.now();
  const sent: ReturnType<typeof withKey>[] = [];
  for (const secret of secrets) {
    sent.push(...Array.from({ length: CALLERS }, () => withKey(cluster, secret)));
    await pause(HERD_EVERY_MS);
  }
  const answers = await Promise.all(sent);
  return {
    statuses: answers.map(({ status }) => status),
    longestMs: Math.max(...answers.map(({ tookMs }) => tookMs)),
    warm: percentiles(during(probe.answers, fromMs, Date.now())),
  };
}

/** 0 where no whole answer arrived. */
async function withKey({ gatewayUrl }: Cluster, secret: string): Promise<{ status: number; tookMs: number }> {
  const beganMs = performance.now();
  const answer = await ask(`${gatewayUrl}/cold`, { headers: { 'x-api-key': secret } }).catch(() => undefined);
  return { status: answer?.status ?? 0, tookMs: performance.now() - beganMs };
}

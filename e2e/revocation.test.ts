import { setTimeout as delay } from 'node:timers/promises';
import { revokeApiKey } from '@tollgate/postgres/api-keys';
import { setOrganizationActive } from '@tollgate/postgres/organizations';
import { setPlan } from '@tollgate/postgres/plans';
import { until } from '@tollgate/testing/until';
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { type Cluster, startCluster } from './cluster.js';
import { type CheckAnswer, type EnvoyPeer, envoyPeer } from './envoy-peer.js';
import type { Key } from './operator.js';
import { type PostgresProxy, startPostgresProxy } from './postgres-proxy.js';

/** 1,000 for the figures that are published. */
const REVOCATIONS = Number(process.env['REVOCATIONS'] ?? 100);
const INSTANCES = 4;
/** Promised, from the return of COMMIT: with notifications, and without them. */
const PUSHED_WITHIN_MS = 1_000;
const POLLED_WITHIN_MS = 2_000;
const LOAD_EVERY_MS = 5;
const TEST_DEADLINE_MS = 60_000 + REVOCATIONS * 250;
const ACTOR = 'e2e';

let cluster: Cluster;
/** One before each authz. */
const proxies: PostgresProxy[] = [];
let peers: EnvoyPeer[];
let limiters: EnvoyPeer[];

vi.setConfig({ testTimeout: TEST_DEADLINE_MS });

beforeAll(async () => {
  cluster = await startCluster({
    authz: INSTANCES,
    ratelimit: 2,
    async databaseUrlFor(role, index, url) {
      if (role !== 'authz') return url;
      const proxy = await startPostgresProxy(url);
      proxies[index] = proxy;
      return proxy.url;
    },
  });
  peers = await Promise.all(cluster.authz.map(({ address }) => envoyPeer(address)));
  limiters = await Promise.all(cluster.ratelimit.map(({ address }) => envoyPeer(address)));
  return async () => {
    for (const peer of [...peers, ...limiters]) peer.close();
    await cluster.close();
    for (const proxy of proxies) await proxy.close();
  };
});

test(`with notifications, no instance accepts a key a second after its revocation`, async () => {
  const histogram = () => Promise.all(cluster.authz.map(async (each) => appliedChanges(await each.page('/metrics'))));
  const before = await histogram();
  const { stop } = await startLoad();
  const watched = await watchInTurn(await newKeys(REVOCATIONS), 1, {
    change: async ({ keyId }) => void (await revokeApiKey(cluster.db, keyId, undefined, ACTOR)),
    denial: 'revoked_api_key',
    withinMs: PUSHED_WITHIN_MS,
    everyMs: 1,
  });
  await stop();
  report('revoked, pushed', watched);
  expect(watched.flatMap(({ late }) => late)).toEqual([]);
  const after = await histogram();
  for (const [i, count] of after.entries()) expect(count - (before[i] ?? 0)).toBeGreaterThanOrEqual(REVOCATIONS);
});

test('with every notification lost, no instance accepts a key two seconds after its revocation', async () => {
  const { stop } = await startLoad();
  for (const proxy of proxies) proxy.set('mute');
  onTestFinished(passAgain);
  const watched = await watchInTurn(await newKeys(REVOCATIONS), 25, {
    change: async ({ keyId }) => void (await revokeApiKey(cluster.db, keyId, undefined, ACTOR)),
    denial: 'revoked_api_key',
    withinMs: POLLED_WITHIN_MS,
    everyMs: 50,
  });
  await stop();
  report('revoked, polled', watched);
  for (const proxy of proxies) expect(proxy.muted()).toBeGreaterThan(0);
  expect(watched.flatMap(({ late }) => late)).toEqual([]);
});

test('with the connections that listen cut again and again, no instance accepts a key two seconds after its revocation', async () => {
  const { stop } = await startLoad();
  let cuts = 0;
  const cutting = setInterval(async () => {
    const cut = await cluster.db.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'tollgate authz changes' AND query ~ '^(LISTEN|SELECT 1$)'`,
    );
    cuts += cut.length;
  }, 50);
  onTestFinished(() => clearInterval(cutting));
  const watched = await watchInTurn(await newKeys(Math.ceil(REVOCATIONS / 4)), 5, {
    change: async ({ keyId }) => void (await revokeApiKey(cluster.db, keyId, undefined, ACTOR)),
    denial: 'revoked_api_key',
    withinMs: POLLED_WITHIN_MS,
    everyMs: 20,
  });
  clearInterval(cutting);
  await stop();
  report(`revoked, ${cuts} connections cut`, watched);
  expect(cuts).toBeGreaterThan(INSTANCES);
  expect(watched.flatMap(({ late }) => late)).toEqual([]);
});

test('a suspended organization is refused everywhere within a second, and let in again when it is active', async () => {
  const keys = await Promise.all(Array.from({ length: 10 }, () => cluster.operator.newcomer()));
  const watched = await watchInTurn(keys, 1, {
    change: async ({ organizationId }) => void (await setOrganizationActive(cluster.db, organizationId, false, ACTOR)),
    denial: 'organization_suspended',
    withinMs: PUSHED_WITHIN_MS,
    everyMs: 1,
  });
  report('suspended', watched);
  expect(watched.flatMap(({ late }) => late)).toEqual([]);
  const [{ organizationId, secret }] = keys as [Key];
  await setOrganizationActive(cluster.db, organizationId, true, ACTOR);
  for (const peer of peers)
    await until(async () => (await peer.check(secret)).code === 'ok', PUSHED_WITHIN_MS, 'being let in again');
});

test('changed limits of an organization and of a plan hold on every limiter within a second', async () => {
  await setPlan(cluster.db, 'e2e', { perMinute: 100, burst: 100, perDay: 100_000 }, ACTOR);
  const own = await cluster.operator.createOrganization('e2e');
  const planned = await cluster.operator.createOrganization('e2e');
  const limitsOf = (organization: string) =>
    Promise.all(limiters.map(async (peer) => (await peer.look(organization))['x-ratelimit-limit-minute']));
  expect([await limitsOf(own), await limitsOf(planned)]).toEqual([
    ['100', '100'],
    ['100', '100'],
  ]);
  const holds = (organization: string, limit: number) =>
    until(async () => (await limitsOf(organization)).every((found) => found === String(limit)), PUSHED_WITHIN_MS, `${limit}`);
  for (let limit = 200; limit < 220; limit++) {
    await cluster.operator.setLimits(own, { perMinute: limit });
    await holds(own, limit);
    await setPlan(cluster.db, 'e2e', { perMinute: limit + 1000 }, ACTOR);
    await holds(planned, limit + 1000);
  }
});

test('an instance that hears of no change at all is seen by these tests, and tells so itself', async () => {
  const [deaf] = proxies.slice(-1) as [PostgresProxy];
  const [instance] = cluster.authz.slice(-1) as [Cluster['authz'][number]];
  const [key] = (await newKeys(1)) as [Key];
  for (const peer of peers) await until(async () => (await peer.check(key.secret)).code === 'ok', 5_000, 'a new key');
  deaf.set('hold');
  onTestFinished(passAgain);
  const [watched] = await watchInTurn([key], 1, {
    change: async ({ keyId }) => void (await revokeApiKey(cluster.db, keyId, undefined, ACTOR)),
    denial: 'revoked_api_key',
    withinMs: POLLED_WITHIN_MS,
    everyMs: 20,
  });
  expect(watched?.late.length).toBeGreaterThan(0);
  expect(new Set(watched?.late.map(({ instance: late }) => late))).toEqual(new Set([INSTANCES - 1]));
  expect(await instance.page('/metrics')).toMatch(/^tollgate_cache_trust_state\{.*\} 2$/m);
  passAgain();
  const last = peers.at(-1) as EnvoyPeer;
  await until(async () => (await last.check(key.secret)).code === 'revoked_api_key', 5_000, 'hearing of it after all');
});

interface Watch {
  change(key: Key): Promise<void>;
  denial: string;
  withinMs: number;
  everyMs: number;
}

interface Asked {
  instance: number;
  code: string;
  /** When it was sent, from the return of the change. */
  afterMs: number;
}

interface Watched {
  /** From the return of the change to the sending of the last request that any instance accepted; 0 where there was none. */
  delayMs: number;
  /** What was accepted after the promised time, and every answer that was neither acceptance nor this denial. */
  late: Asked[];
}

/** Changes keys, so many at once, while every instance is asked for each of them without end, until all deny and once more. */
async function watchInTurn(keys: readonly Key[], atOnce: number, watch: Watch): Promise<Watched[]> {
  const watched: Watched[] = [];
  const queue = [...keys];
  const worker = async (): Promise<void> => {
    for (let key = queue.shift(); key !== undefined; key = queue.shift()) watched.push(await watchOne(key, watch));
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  // Whoever has denied once must not fall back: an old record that was under way could come in last.
  await delay(watch.withinMs / 10);
  for (const [i, { secret }] of keys.entries()) {
    const again = await Promise.all(peers.map((peer) => peer.check(secret)));
    const isLong = (watched[i]?.late.length ?? 0) > 0;
    if (!isLong)
      watched[i]?.late.push(
        ...again.flatMap(({ code }, instance) => (code === watch.denial ? [] : [fallenBack(instance, code)])),
      );
  }
  return watched;
}

const fallenBack = (instance: number, code: string): Asked => ({
  instance,
  code: `${code} again`,
  afterMs: Number.POSITIVE_INFINITY,
});

async function watchOne(key: Key, { change, denial, withinMs, everyMs }: Watch): Promise<Watched> {
  for (const peer of peers) await until(async () => (await peer.check(key.secret)).code === 'ok', 5_000, 'a new key');
  const asked: (Omit<Asked, 'afterMs'> & { sentMs: number })[] = [];
  let changedMs = Number.POSITIVE_INFINITY;
  const askOn = async (peer: EnvoyPeer, instance: number): Promise<void> => {
    // Far enough beyond what is promised to see who is late, and by how much.
    for (let sentMs = 0; sentMs < changedMs + withinMs + 500; ) {
      sentMs = performance.now();
      const { code } = await peer.check(key.secret);
      asked.push({ instance, code, sentMs });
      if (code === denial) return;
      await delay(everyMs);
    }
  };
  const asking = peers.map(askOn);
  await change(key);
  changedMs = performance.now();
  await Promise.all(asking);
  const after = asked.map(({ instance, code, sentMs }) => ({ instance, code, afterMs: sentMs - changedMs }));
  const accepted = after.filter(({ code }) => code === 'ok');
  return {
    delayMs: Math.max(0, ...accepted.map(({ afterMs }) => afterMs)),
    late: [
      ...accepted.filter(({ afterMs }) => afterMs > withinMs),
      ...after.filter(({ code }) => code !== 'ok' && code !== denial),
    ],
  };
}

/** Other callers at every instance meanwhile: good keys, and some without one. None of them may notice anything. */
async function startLoad(): Promise<{ stop: () => Promise<void> }> {
  const keys = await newKeys(20);
  const wrong: CheckAnswer[] = [];
  const underWay = new Set<Promise<void>>();
  let n = 0;
  const timer = setInterval(() => {
    const secret = n % 10 === 0 ? undefined : keys[n % keys.length]?.secret;
    const expected = secret === undefined ? 'missing_api_key' : 'ok';
    const peer = peers[n++ % peers.length] as EnvoyPeer;
    const asking: Promise<void> = peer
      .check(secret)
      .then((answer) => void (answer.code === expected || wrong.push(answer)))
      .finally(() => underWay.delete(asking));
    underWay.add(asking);
  }, LOAD_EVERY_MS);
  onTestFinished(() => clearInterval(timer));
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(underWay);
      expect(wrong).toEqual([]);
    },
  };
}

async function newKeys(count: number): Promise<Key[]> {
  const organizationId = await cluster.operator.createOrganization();
  const keys: Key[] = [];
  while (keys.length < count) {
    const some = Array.from({ length: Math.min(count - keys.length, 50) }, () => cluster.operator.createKey(organizationId));
    keys.push(...(await Promise.all(some)));
  }
  return keys;
}

function passAgain(): void {
  for (const proxy of proxies) proxy.set('pass');
}

/** How many changes an instance has applied, by its histogram of the delays. */
function appliedChanges(page: string): number {
  return Number(/^tollgate_revocation_delay_seconds_count\{.*\} (\d+)$/m.exec(page)?.[1]);
}

function report(what: string, watched: readonly Watched[]): void {
  const delays = watched.map(({ delayMs }) => delayMs).toSorted((a, b) => a - b);
  const at = (share: number) => (delays[Math.ceil(share * delays.length) - 1] ?? 0).toFixed(1);
  const figures = `P50 ${at(0.5)} P99 ${at(0.99)} P99.9 ${at(0.999)} max ${at(1)} ms`;
  console.info(`${what}: ${delays.length} on ${INSTANCES} instances, last accepted after ${figures}`);
}

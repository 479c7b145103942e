import { startRedisCluster } from '@tollgate/testing/redis-cluster';
import { redisCommand } from '@tollgate/testing/redis-command';
import { startRedisSentinels } from '@tollgate/testing/redis-sentinel';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { PATIENT } from './open-redis-store.js';
import { type WatchedStore, watchedStore } from './watched-store.js';

const FAILOVER_DEADLINE_MS = 40_000;
const portOf = (url: string): number => Number(new URL(url).port);

test('a master that is killed under load: every take is answered, and the replica decides when the Sentinels say so', async () => {
  const sentinels = await startRedisSentinels();
  onTestFinished(() => sentinels.close());
  const watched = await watchedStore({ url: sentinels.url, ...PATIENT });
  await until(() => watched.isDecidedByRedis());
  await watched.degradedOf(100, 10);
  await redisCommand(portOf(sentinels.master.url), 'WAIT', '1', '5000');
  const load = underLoad(watched);
  const killedMs = performance.now();
  await sentinels.master.kill();
  await until(() => watched.store.isDegraded());
  await until(() => watched.isDecidedByRedis(), FAILOVER_DEADLINE_MS, 'the new master');
  expect(watched.counts.failedConnections, 'once a second').toBeLessThanOrEqual(2 + (performance.now() - killedMs) / 1_000);
  expect((await load.end()).rejected).toBe(0);
  expect(await watched.degradedOf(100, 10)).toBe(0);
  // The bucket is where it was: what was replicated is not given twice.
  expect((await watched.take('acme', 0)).states[0]?.remaining).toBeLessThanOrEqual(1_000_000 - 200);
});

test('a failover gives twice at most what the replica had not got yet: a second of takes', async () => {
  const sentinels = await startRedisSentinels();
  onTestFinished(() => sentinels.close());
  const watched = await watchedStore({ url: sentinels.url, ...PATIENT });
  await until(() => watched.isDecidedByRedis());
  let acknowledged = 0;
  let isOver = false;
  const startMs = performance.now();
  const takeOn = async (): Promise<void> => {
    while (!isOver) {
      if (!(await watched.take()).isDegraded) acknowledged++;
      await new Promise(setImmediate); // a decision without Redis waits for nothing, and would let nothing else happen
    }
  };
  const takers = Array.from({ length: 8 }, takeOn);
  await until(() => performance.now() - startMs > 1_500);
  await sentinels.master.kill();
  const perSecond = acknowledged / ((performance.now() - startMs) / 1_000);
  await until(() => watched.store.isDegraded());
  isOver = true;
  await Promise.all(takers);
  await until(() => watched.isDecidedByRedis(), FAILOVER_DEADLINE_MS, 'the new master');
  const debited = 1_000_000 - ((await watched.take('acme', 0)).states[0]?.remaining ?? 0);
  console.info(`${acknowledged} takes at ${Math.round(perSecond)}/s, ${acknowledged - debited} of them given twice`);
  expect(acknowledged).toBeGreaterThan(1_000);
  expect(acknowledged - debited).toBeLessThanOrEqual(perSecond);
  // What was under way when the master died may have been taken without an answer, and is not given back.
  expect(acknowledged - debited).toBeGreaterThanOrEqual(-takers.length);
});

test('a master that is made a replica by hand: takes go on to the new one, without a restart', async () => {
  const sentinels = await startRedisSentinels();
  onTestFinished(() => sentinels.close());
  const watched = await watchedStore({ url: sentinels.url, ...PATIENT });
  await until(() => watched.isDecidedByRedis());
  const { port } = new URL(
    sentinels.url
      .replace('+sentinel', '')
      .replace(/127.0.0.1:\d+,/, '')
      .replace(/,.*/, ''),
  );
  await until(() => redisCommand(Number(port), 'SENTINEL', 'FAILOVER', 'limits'), FAILOVER_DEADLINE_MS);
  const isMaster = async () => (await redisCommand(portOf(sentinels.replica.url), 'INFO', 'replication')).includes('role:master');
  await until(isMaster, FAILOVER_DEADLINE_MS, 'the failover');
  await until(() => watched.isDecidedByRedis(), FAILOVER_DEADLINE_MS);
  const written = () => redisCommand(portOf(sentinels.replica.url), 'EXISTS', 'tg:{acme}:minute').then((reply) => reply === '1');
  await until(async () => (await watched.degradedOf(1, 1)) === 0 && written(), FAILOVER_DEADLINE_MS, 'a take on the new master');
});

test('a slot that has moved is followed within the take', async () => {
  const cluster = await startRedisCluster();
  onTestFinished(() => cluster.close());
  const watched = await watchedStore({ url: cluster.url, ...PATIENT });
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  for (const name of names) await until(() => watched.isDecidedByRedis(name));
  const [first, second] = cluster.masters.map(({ url }) => portOf(url)) as [number, number, number];
  const [firstId, secondId] = [await redisCommand(first, 'CLUSTER', 'MYID'), await redisCommand(second, 'CLUSTER', 'MYID')];
  await watched.degradedOf(names.length, 1);
  const mine = (
    await Promise.all(names.map(async (name) => [name, Number(await redisCommand(first, 'CLUSTER', 'KEYSLOT', name))] as const))
  ).filter(([, slot]) => slot < 5461);
  expect(mine.length).toBeGreaterThan(0);
  for (const [name, slot] of mine) {
    await watched.take(name, 10);
    // On its way: what is not there any more is asked at the other with ASKING.
    await redisCommand(second, 'CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', firstId);
    await redisCommand(first, 'CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', secondId);
    await redisCommand(first, 'MIGRATE', '127.0.0.1', String(second), `tg:{${name}}:minute`, '0', '5000');
    expect(await watched.take(name, 5)).toMatchObject({ isDegraded: false, states: [{ remaining: 1_000_000 - 15 }] });
    // And there.
    for (const port of [second, first]) await redisCommand(port, 'CLUSTER', 'SETSLOT', String(slot), 'NODE', secondId);
    expect(await watched.take(name, 5)).toMatchObject({ isDegraded: false, states: [{ remaining: 1_000_000 - 20 }] });
  }
  expect(watched.counts.opened).toBe(0);
});

test('a cluster that loses a master: its organizations are decided here, the others by Redis, and all by Redis afterwards', async () => {
  const cluster = await startRedisCluster({ nodeTimeoutMs: 1_000 });
  onTestFinished(() => cluster.close());
  const watched = await watchedStore({ url: cluster.url, ...PATIENT });
  const first = portOf(cluster.masters[0]?.url ?? '');
  const names = Array.from({ length: 30 }, (_, i) => `organization ${i}`);
  for (const name of names) await until(() => watched.isDecidedByRedis(name));
  const slots = await Promise.all(names.map(async (name) => Number(await redisCommand(first, 'CLUSTER', 'KEYSLOT', name))));
  const lost = names.filter((_, i) => (slots[i] ?? 0) < 5461);
  const kept = names.filter((name) => !lost.includes(name));
  await redisCommand(first, 'WAIT', '1', '5000');
  const load = underLoad(watched, lost[0]);

  await cluster.masters[0]?.kill();
  await until(() => watched.store.isDegraded());
  for (const name of kept) expect(await watched.isDecidedByRedis(name)).toBe(true);
  await until(() => watched.isDecidedByRedis(lost[0]), FAILOVER_DEADLINE_MS, 'the replica');
  expect((await load.end()).rejected).toBe(0);
  for (const name of names) await until(() => watched.isDecidedByRedis(name));
  // That of the lost master, and for a moment that of the new one, to which there is no connection yet.
  expect(watched.counts.opened).toBeLessThanOrEqual(2);
});

/** Takes one after the other until `end()`, which tells how many there were and how many were not answered. */
function underLoad(watched: WatchedStore, organizationId?: string) {
  let isOver = false;
  const counts = { takes: 0, rejected: 0 };
  const run = (async () => {
    while (!isOver) {
      counts.takes++;
      await watched.take(organizationId).catch(() => counts.rejected++);
      await new Promise(setImmediate);
    }
  })();
  return {
    async end() {
      isOver = true;
      await run;
      return counts;
    },
  };
}

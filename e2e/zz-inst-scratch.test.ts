import { expect, test } from 'vitest';
import { setTimeout as delay } from 'node:timers/promises';
import { startCluster } from './cluster.js';
import { connect, createServer, type Socket } from 'node:net';
let dead = false;
async function startPostgresProxy(url: string) {
  const u = new URL(url); const socks = new Set<Socket>();
  const server = createServer((c) => { socks.add(c); c.on('error', () => {}); if (dead) return; const d = connect({ host: u.hostname, port: Number(u.port) }); socks.add(d); d.on('error', () => {}); c.pipe(d); d.pipe(c); });
  await new Promise<void>((r) => server.listen(0, '127.0.0.1', () => r()));
  u.hostname = '127.0.0.1'; u.port = String((server.address() as { port: number }).port);
  return { url: u.href, set(m: string) { dead = m === 'hold'; }, async close() { server.close(); for (const s of socks) s.destroy(); } };
}
type PostgresProxy = Awaited<ReturnType<typeof startPostgresProxy>>;
import { startSteadyLoad } from './steady-load.js';
test('a new authz without its database gets no requests', async () => {
  const proxies: PostgresProxy[] = [];
  const cluster = await startCluster({ authz: 2, ratelimit: 1, hasGateway: true, env: { DRAIN_TIME: '2500ms' }, databaseUrlFor: async (role, i, url) => role !== 'authz' || i === 0 ? url : (proxies[i] = await startPostgresProxy(url)).url });
  const key = await cluster.operator.newcomer('enterprise');
  await cluster.operator.setLimits(key.organizationId, { perMinute: 1e8, burst: 1e8, perDay: 1e11 });
  const load = startSteadyLoad(cluster.gatewayUrl, 200, () => ({ kind: 'k', path: '/x', headers: { 'x-api-key': key.secret } }));
  await delay(1000);
  const before = load.outcomes.length;
  expect(load.outcomes.filter((o) => o.status !== 200).length).toBe(0);
  const victim = cluster.authz[1]!;
  victim.signal('SIGTERM'); await victim.exited();
  console.log('after exit: failed', load.outcomes.slice(before).filter((o) => o.status !== 200).length);
  proxies[1]!.set('hold');
  const starting = victim.start().catch((e) => e);
  const b2 = load.outcomes.length;
  await delay(5000);
  console.log('healthy', await cluster.healthy('authz'), 'failed', load.outcomes.slice(b2).filter((o) => o.status !== 200).length, 'of', load.outcomes.length - b2);
  for (const p of proxies.slice(1)) p.set('pass');
  console.log('start', String(await starting));
  await load.stop();
  await cluster.close();
  for (const p of proxies.slice(1)) await p.close();
}, 90000);

/**
 * How late is ratelimit while Redis is slow, stopped or dead, and when is it back? `npm run bench -- redis-faults [--rate 500]
 * [--seconds 15] [--stopped 60]`: one instance, asked at a fixed rate. The tests hold what is decided; here are the times,
 * and those of a service that does nothing: so late are the machine and the load generator by themselves.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startSlowProxy } from '@tollgate/testing/slow-proxy';
import { type BareService, CONTROL, startBareService } from './bare-service.js';
import { createLimitClient } from './limit-client.js';
import { loadAverage, provenance } from './provenance.js';
import { faultsReport, type Phase } from './redis-faults-report.js';
import { writeSection } from './results-page.js';
import { type Closers, inRunFolder } from './run-folder.js';
import { type BenchRedis, startBenchRedis } from './stores.js';
import { startService } from './world.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const RULES = 'domain: bench\ndescriptors: [ { key: client, rate_limit: { unit: minute, requests_per_unit: 100000000 } } ]\n';
const SLOW_MS = [5, 20, 100];
const WARM_UP_SECONDS = 5;

const { values: args } = parseArgs({
  options: {
    rate: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '15' },
    stopped: { type: 'string', default: '60' },
  },
});
const rate = Number(args.rate);
const seconds = Number(args.seconds);

const loadBefore = loadAverage();
await inRunFolder(async (folder, closers) => {
  const redis = await startBenchRedis(folder, closers);
  const phases = await measure(redis, folder, closers);
  const report = faultsReport(phases, [
    ...(await provenance(ROOT, `Node.js ${process.version}, Redis ${redis.version}`, 'redis-faults')),
    ['load', `${rate} calls a second at fixed times, each phase ${seconds} s (stopped: ${args.stopped} s), one instance`],
    ['load average before', loadBefore],
  ]);
  console.info(`\n${report}`);
  await writeSection(join(ROOT, 'bench', 'results.md'), report);
});
process.exit();

async function measure(redis: BenchRedis, folder: string, closers: Closers): Promise<Phase[]> {
  const proxy = await startSlowProxy(redis.url);
  closers.push(() => proxy.close());
  const rulesFile = join(folder, 'rules.yaml');
  await writeFile(rulesFile, RULES);
  const phases: Phase[] = [];
  const bare = await startBareService(folder, closers, ROOT);
  await bare.ask(rate, WARM_UP_SECONDS, () => {});
  const control = async (): Promise<void> => void phases.push(await controlPhase(bare));
  const startLimiter = async (name: string, redisUrl: string) => {
    const ownFolder = join(folder, name);
    await mkdir(ownFolder);
    const service = { folder: ownFolder, root: ROOT, transport: 'tcp' as const, profileFolder: undefined };
    const settings = { REDIS_URL: redisUrl, RATELIMIT_CONFIG: rulesFile };
    const { address, pid } = await startService(service, closers, 'ratelimit', settings);
    const client = createLimitClient('port' in address ? `${address.host}:${address.port}` : '', 'bench', { client: 'bench' });
    closers.push(async () => client.close());
    await client.ask(rate, WARM_UP_SECONDS);
    return async (phaseName: string, forSeconds = seconds): Promise<void> => {
      const asked = await client.ask(rate, forSeconds);
      phases.push({ name: phaseName, ...asked, residentBytes: await residentBytes(pid) });
      console.info(`${phaseName}: ${asked.calls} calls, ${asked.errors} errors, ${asked.degraded} without Redis`);
    };
  };
  // The way over the proxy takes time of its own, so that only what it slows goes there.
  const phase = await startLimiter('direct', redis.url);
  const slowed = await startLimiter('slowed', proxy.url);
  await control();
  await phase('Redis is well');
  await slowed('well, by way of a proxy');
  for (const slowMs of SLOW_MS) {
    proxy.slow(slowMs);
    await slowed(`${slowMs} ms slower`);
  }
  proxy.slow(0);
  await slowed('well again, by way of a proxy');
  await control();
  process.kill(redis.pid, 'SIGKILL');
  await phase('killed');
  const again = await redis.again();
  await phase('started again');
  process.kill(again.pid, 'SIGSTOP');
  await phase('stopped (SIGSTOP)', Number(args.stopped));
  process.kill(again.pid, 'SIGCONT');
  await phase('continued');
  await control();
  return phases;
}

async function controlPhase({ ask, pid }: BareService): Promise<Phase> {
  const latenciesMs: number[] = [];
  const counts = await ask(rate, seconds, (_, tookMs) => latenciesMs.push(tookMs));
  latenciesMs.sort((a, b) => a - b);
  const nothingDecided = { degraded: undefined, firstByRedisMs: undefined };
  return { name: CONTROL, ...counts, latenciesMs, ...nothingDecided, residentBytes: await residentBytes(pid) };
}

async function residentBytes(pid: number): Promise<number> {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

/**
 * How much later do answers come than from Envoy alone? `npm run bench -- latency [--rounds 3] [--seconds 10]`: requests at a fixed
 * rate, to both in turns, each sent when it is due. And how late are authz and ratelimit themselves, asked directly?
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startBareService } from './bare-service.js';
import { watchMachine } from './disturbance.js';
import { atFixedRate, type Timing } from './fixed-rate.js';
import { type Latencies, latencyReport } from './latency-report.js';
import { metricIn } from './metric.js';
import { loadAverage, provenance } from './provenance.js';
import { writeSection } from './results-page.js';
import { inRunFolder } from './run-folder.js';
import { askServices } from './service-latency.js';
import { CALLERS, startWorld, type World } from './world.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const RATES = [200, 500, 1_000];
/** As by default: it bounds the latency of ratelimit, and no more comes than Redis can decide. */
const DEFAULT_STORE_TIMEOUT = '8ms';
const WARM_UP = { perSecond: 1_000, seconds: 8 };
/** Of a run that somebody disturbed. */
const MOST_TRIES = 2;

const { values: args } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, seconds: { type: 'string', default: '10' } },
});
const rounds = Number(args.rounds);
const seconds = Number(args.seconds);

const loadBefore = loadAverage();
await inRunFolder(async (folder, closers) => {
  const options = { folder, root: ROOT, transport: 'unix', upstream: 'node', storeTimeout: DEFAULT_STORE_TIMEOUT } as const;
  const world = await startWorld({ ...options, profileFolder: undefined }, closers);
  const latencies = await measure(world);
  const bare = await startBareService(folder, closers, ROOT);
  const before = await degradedTakes(world);
  const services = await askServices(world, bare, { perSecond: 1_000, seconds, rounds });
  const degraded = (await degradedTakes(world)) - before;
  const report = latencyReport(latencies, services, degraded, [
    ...(await provenance(ROOT, world.versions, 'latency')),
    [
      'load',
      `each request when it is due, over a connection that is free or a new one; ${rounds} rounds of ${seconds} s for each, in turns`,
    ],
    ['gateway', 'Envoy --concurrency 1, services over unix sockets, limits in Redis over TCP'],
    ['callers', `${CALLERS} organizations in turn; RATELIMIT_STORE_TIMEOUT=${DEFAULT_STORE_TIMEOUT}, the default`],
    ['load average before', loadBefore],
  ]);
  console.info(`\n${report}`);
  await writeSection(join(ROOT, 'bench', 'results.md'), report);
});
process.exit();

/** Which the local share decided, as Redis did not in time. */
async function degradedTakes({ metricsUrls }: World): Promise<number> {
  const page = await fetch(metricsUrls.ratelimit, { signal: AbortSignal.timeout(5_000) });
  return metricIn(await page.text(), 'tollgate_ratelimit_degraded_takes_total');
}

async function measure(running: World): Promise<Latencies[]> {
  const sides = [
    ['alone', running.alone.url],
    ['gateway', running.gateway.url],
  ] as const;
  for (const [, url] of sides) await run(running, url, WARM_UP);
  const latencies: Latencies[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const perSecond of RATES) {
      for (const [side, url] of sides) {
        const { timing, reasons } = await calmRun(running, url, perSecond);
        console.info(`${side} at ${perSecond}/s: ${timing.sent} sent, ${timing.failures} failed ${reasons.join(', ')}`);
        latencies.push({ side, perSecond, timing, isDisturbed: reasons.length > 0 });
      }
    }
  }
  return latencies;
}

/** The first run that nobody disturbed, or the last. */
async function calmRun(running: World, url: string, perSecond: number): Promise<{ timing: Timing; reasons: string[] }> {
  for (let tries = 1; ; tries++) {
    const disturbed = await watchMachine([...Object.values(running.gateway.pids), running.alone.pid, running.upstreamPid]);
    const timing = await run(running, url, { perSecond, seconds });
    const { reasons } = await disturbed();
    if (reasons.length === 0 || tries === MOST_TRIES) return { timing, reasons };
  }
}

function run({ callers }: World, url: string, rate: { perSecond: number; seconds: number }): Promise<Timing> {
  const { port, pathname } = new URL(url);
  const requests = callers.map(({ headers }) => {
    const lines = Object.entries({ Host: 'bench', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    return Buffer.from(`GET ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`);
  });
  return atFixedRate({ port: Number(port), requests, ...rate });
}

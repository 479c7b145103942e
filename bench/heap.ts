/**
 * `npm run bench -- heap [--rounds 5] [--seconds 10] [--rate 1000]`: which size of the young generation suits authz and ratelimit?
 * Each size has processes of its own, asked at a fixed rate in turns. What counts is what garbage collection takes, and the tail.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type HeapRound, heapReport } from './heap-report.js';
import { cpuNanosOf } from './machine.js';
import { metricIn } from './metric.js';
import { loadAverage, provenance } from './provenance.js';
import { writeSection } from './results-page.js';
import { type Closers, inRunFolder } from './run-folder.js';
import { checkClient, limitClient } from './service-latency.js';
import type { UnaryClient } from './unary-client.js';
import { type Base, type StartedService, spelled, startBase, startService } from './world.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** MiB of a half of the young generation; undefined is what Node.js has by itself. */
const SIZES = [undefined, 1, 4, 64];
const WARM_UP_SECONDS = 8;

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '10' },
    rate: { type: 'string', default: '1000' },
  },
});
const rounds = Number(args.rounds);
const seconds = Number(args.seconds);
const rate = Number(args.rate);

interface Subject {
  name: string;
  size: number | undefined;
  service: StartedService;
  client: UnaryClient;
}

await inRunFolder(async (folder, closers) => {
  const loadBefore = loadAverage();
  const base = await startBase({ folder, root: ROOT, upstream: 'node' }, closers);
  const report = heapReport(await measure(await startSubjects(base, folder, closers)), [
    ...(await provenance(ROOT, base.versions, 'heap')),
    ['load', `${rate} calls a second at fixed times, ${rounds} rounds of ${seconds} s for each, in turns`],
    ['load average before', loadBefore],
  ]);
  console.info(`\n${report}`);
  await writeSection(join(ROOT, 'bench', 'results.md'), report);
});
process.exit();

async function startSubjects(base: Base, folder: string, closers: Closers): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const name of ['authz', 'ratelimit'])
    for (const size of SIZES) {
      const own = size === undefined ? {} : { NODE_OPTIONS: `--max-semi-space-size=${size}` };
      const options = { folder, root: ROOT, transport: 'unix' as const, profileFolder: undefined };
      const service = await startService(options, closers, name, { ...base.settings, ...own }, `${name}-${size ?? 'default'}`);
      const address = spelled(service.address);
      const client = name === 'authz' ? checkClient(address, base.callers) : limitClient(address, base.callers);
      closers.push(async () => client.close());
      subjects.push({ name, size, service, client });
    }
  return subjects;
}

async function measure(subjects: readonly Subject[]): Promise<HeapRound[]> {
  for (const { client } of subjects) await client.ask(rate, WARM_UP_SECONDS, () => {});
  const done: HeapRound[] = [];
  for (let round = 0; round < rounds; round++)
    for (const { name, size, service, client } of subjects) {
      const before = { gc: await processFigures(service), cpu: await cpuNanosOf(service.pid) };
      const latenciesMs: number[] = [];
      const { calls, errors } = await client.ask(rate, seconds, (_, tookMs) => latenciesMs.push(tookMs));
      const after = { gc: await processFigures(service), cpu: await cpuNanosOf(service.pid) };
      const cpuMicros = (after.cpu - before.cpu) / 1_000 / calls;
      const gcMicros = ((after.gc.seconds - before.gc.seconds) * 1e6) / calls;
      const collections = after.gc.count - before.gc.count;
      done.push({
        name,
        size,
        calls,
        errors,
        latenciesMs,
        cpuMicros,
        gcMicros,
        collections,
        residentBytes: after.gc.residentBytes,
      });
      console.info(`${name}, ${size ?? 'default'}: ${cpuMicros.toFixed(1)} µs a call, ${gcMicros.toFixed(2)} µs of them GC`);
    }
  return done;
}

async function processFigures({ adminAddress }: StartedService) {
  const page = await (await fetch(`http://${adminAddress}/metrics`, { signal: AbortSignal.timeout(5_000) })).text();
  return {
    seconds: metricIn(page, 'nodejs_gc_duration_seconds_sum'),
    count: metricIn(page, 'nodejs_gc_duration_seconds_count'),
    residentBytes: metricIn(page, 'process_resident_memory_bytes'),
  };
}

/**
 * What does each part of the gateway cost? `npm run bench -- steps [--rounds 3] [--seconds 4]`: Envoy alone, with each call-out
 * added, and the whole gateway in other arrangements, in turns in one run. CPU time per request of each process counts.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Disturbance, watchMachine } from './disturbance.js';
import { findWrk, runLoad } from './load.js';
import { familyNanosOf } from './machine.js';
import { loadAverage, provenance } from './provenance.js';
import { writeSection } from './results-page.js';
import { inRunFolder } from './run-folder.js';
import { type StepCost, stepsReport } from './steps-report.js';
import { type Step, type StepsWorld, startStepsWorld } from './steps-world.js';
import { CALLERS, STORE_TIMEOUT } from './world.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CONNECTIONS = 64;
const WARM_UP_SECONDS = 5;
/** Of a round that somebody disturbed. */
const MOST_TRIES = 2;

const { values: args } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, seconds: { type: 'string', default: '4' } },
});
const rounds = Number(args.rounds);
const seconds = Number(args.seconds);

const wrk = await findWrk();
const loadBefore = loadAverage();
await inRunFolder(async (folder, closers) => {
  const world = await startStepsWorld({ folder, root: ROOT, upstream: 'node' }, closers);
  const costs = await measure(world);
  const report = stepsReport(costs, [
    ...(await provenance(ROOT, world.versions, 'steps')),
    [
      'load',
      `wrk, ${CONNECTIONS} keep-alive connections, ${rounds} rounds of ${seconds} s for each, in turns; ${CALLERS} organizations`,
    ],
    ['each', 'an Envoy with --concurrency 1 of its own; unix sockets and Redis, where nothing else is said'],
    ['limits', `in Redis over TCP, not persisted, RATELIMIT_STORE_TIMEOUT=${STORE_TIMEOUT}`],
    ['load average before', loadBefore],
  ]);
  console.info(`\n${report}`);
  await writeSection(join(ROOT, 'bench', 'results.md'), report);
});
process.exit();

async function measure(world: StepsWorld): Promise<StepCost[]> {
  for (const step of world.steps) await runStep(world, step, WARM_UP_SECONDS);
  const costs: StepCost[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const step of world.steps) costs.push({ round, ...(await calmStep(world, step)) });
  }
  return costs;
}

type Ran = Omit<StepCost, 'round'>;

/** The first run that nobody disturbed, or the least disturbed one. */
async function calmStep(world: StepsWorld, step: Step): Promise<Ran> {
  const tried: { ran: Ran; disturbance: Disturbance }[] = [];
  while (tried.length < MOST_TRIES) {
    const disturbed = await watchMachine([...world.pids, ...world.steps.map(({ envoyPid }) => envoyPid)]);
    const ran = await runStep(world, step, seconds);
    const disturbance = await disturbed();
    console.info(`${step.name}: ${ran.perSecond.toFixed(0)} requests/s ${disturbance.reasons.join(', ')}`);
    tried.push({ ran: { ...ran, isDisturbed: disturbance.reasons.length > 0 }, disturbance });
    if (disturbance.reasons.length === 0) break;
  }
  const worth = ({ disturbance: { foreign, stolen } }: (typeof tried)[number]) => foreign + stolen;
  return tried.reduce((best, next) => (worth(next) < worth(best) ? next : best)).ran;
}

async function runStep(world: StepsWorld, step: Step, forSeconds: number): Promise<Ran> {
  const parts = { Envoy: [step.envoyPid], ...step.pids };
  const read = async () => ({ cpu: await cpuOf(parts), requests: await requestsOf(step.adminUrl) });
  const before = await read();
  const options = { url: step.url, connections: CONNECTIONS, seconds: forSeconds, callers: world.callers, folder: world.folder };
  const load = await runLoad(wrk, options);
  if (load.failures.length > 0) throw new Error(`${step.name}: not every answer was a good one: ${load.failures.join('; ')}`);
  const after = await read();
  const requests = after.requests - before.requests;
  const micros = Object.entries(after.cpu).map(([part, nanos]) => [part, (nanos - (before.cpu[part] ?? 0)) / 1000 / requests]);
  return { name: step.name, micros: Object.fromEntries(micros), perSecond: load.perSecond, isDisturbed: false };
}

async function cpuOf(parts: Readonly<Record<string, readonly number[]>>): Promise<Record<string, number>> {
  const cpu = Object.entries(parts).map(async ([part, pids]) => {
    const nanos = await Promise.all(pids.map(familyNanosOf));
    return [part, nanos.reduce((total, each) => total + each, 0)] as const;
  });
  return Object.fromEntries(await Promise.all(cpu));
}

async function requestsOf(adminUrl: string): Promise<number> {
  const stats = await (
    await fetch(`${adminUrl}/stats?filter=downstream_rq_total`, { signal: AbortSignal.timeout(5_000) })
  ).text();
  return Number(/^http\.edge\.downstream_rq_total: (\d+)$/m.exec(stats)?.[1]);
}

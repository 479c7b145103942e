/**
 * What does the gateway cost beside Envoy alone? Both get the same requests, in turns, for several rounds in one run;
 * what counts is the CPU time of each process, so that what else the machine does matters little.
 */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findWrk } from './load.js';
import { sum } from './machine.js';
import { loadAverage, provenance } from './provenance.js';
import { reportOf } from './report.js';
import { writeSection } from './results-page.js';
import { type LoadSettings, type Round, runRound, type Variant } from './rounds.js';
import { inRunFolder } from './run-folder.js';
import { CALLERS, STORE_TIMEOUT, startWorld, type World } from './world.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const RESULTS = join(ROOT, 'bench', 'results.md');
const QUESTION = 'What does the gateway cost beside Envoy alone?';
const CONNECTIONS = 64;
const ROUNDS = 5;
const SECONDS = 6;
/** The collector sees few, large messages: it takes so long until its code is compiled. */
const WARM_UP_SECONDS = 12;
/** Of a round that somebody disturbed. */
const MOST_TRIES = 3;

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string', default: String(ROUNDS) },
    seconds: { type: 'string', default: String(SECONDS) },
    tcp: { type: 'boolean', default: false },
    upstream: { type: 'string', default: 'node' },
    profile: { type: 'string' },
  },
});
const rounds = Number(args.rounds);
const seconds = Number(args.seconds);
const upstream = args.upstream === 'envoy' ? 'envoy' : 'node';

const wrk = await findWrk();
const profileFolder = args.profile === undefined ? undefined : resolve(args.profile);
if (profileFolder !== undefined) await mkdir(profileFolder, { recursive: true });
await inRunFolder(async (folder, closers) => {
  const world = await startWorld({ folder, root: ROOT, transport: args.tcp ? 'tcp' : 'unix', upstream, profileFolder }, closers);
  const report = await measure(world);
  console.info(`\n${report}`);
  if (profileFolder !== undefined) console.info(`Profiling costs CPU too: not written to bench/results.md.`);
  else if (args.tcp || upstream !== 'node') console.info('Not the ordinary run: not written to bench/results.md.');
  else await writeSection(RESULTS, report);
});
process.exit();

async function measure(running: World): Promise<string> {
  const settings: LoadSettings = { wrk, connections: CONNECTIONS, seconds };
  const loadBefore = loadAverage();
  // Compilers and caches are warm after these, which nobody counts.
  await runRound(running, 'gateway', { ...settings, seconds: WARM_UP_SECONDS });
  await runRound(running, 'alone', { ...settings, seconds: 2 });
  const done: Round[] = [];
  for (let i = 0; i < rounds; i++) {
    const gateway = await calmRound(running, 'gateway', settings);
    done.push(gateway);
    done.push(await calmRound(running, 'alone-paced', { ...settings, rate: gateway.load.perSecond }));
    done.push(await calmRound(running, 'alone', settings));
  }
  const about: [string, string][] = [
    ...(await provenance(ROOT, running.versions)),
    [
      'load',
      `wrk, ${CONNECTIONS} keep-alive connections, ${rounds} rounds of ${seconds} s for each side, in turns; ${CALLERS} organizations`,
    ],
    ['gateway', `Envoy --concurrency 1, services over ${args.tcp ? 'TCP on loopback' : 'unix sockets'}`],
    ['limits', `in Redis over TCP, not persisted, RATELIMIT_STORE_TIMEOUT=${STORE_TIMEOUT}`],
    ['Envoy alone', 'the same configuration without ext_authz, ratelimit and access log, the same upstream'],
    ['upstream', upstream === 'node' ? 'a small server on node:http' : 'an Envoy that answers by itself'],
    ['load average before', loadBefore],
  ];
  return reportOf({ question: QUESTION, about }, done);
}

/** The first round that nobody disturbed; where there is none, the least disturbed one, which says so. */
async function calmRound(running: World, variant: Variant, settings: LoadSettings): Promise<Round> {
  const tried: Round[] = [];
  while (tried.length < MOST_TRIES) {
    const round = await runRound(running, variant, settings);
    const cost = sum(Object.values(round.costs)).toFixed(0);
    console.info(`${variant.padEnd(11)} ${round.requests} requests of ${cost} µs  ${round.disturbances.join(', ')}`);
    tried.push(round);
    if (round.disturbances.length === 0) break;
  }
  return tried.reduce((best, round) => (round.disturbance < best.disturbance ? round : best));
}

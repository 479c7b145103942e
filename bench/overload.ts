/**
 * What does authz do with more calls than it can serve? Its peak is measured first, then calls come at once, twice and three
 * times that rate, whatever comes back: nobody waits for an answer before the next call, so nothing is left out.
 */
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { renderEnvoyConfig } from '@tollgate/envoy-config/render-envoy-config';
import { parse } from 'yaml';
import { type AuthzWorld, startAuthzWorld } from './authz-world.js';
import type { LoadOrder } from './check-load.js';
import { familyNanosOf } from './machine.js';
import { type OverloadRound, overloadReport } from './overload-report.js';
import { loadAverage, provenance } from './provenance.js';
import { writeSection } from './results-page.js';
import { inRunFolder } from './run-folder.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const RESULTS = join(ROOT, 'bench', 'results.md');
const KEYS = 1_000;
const CONNECTIONS = 4;
/** As long as Envoy waits for authz. */
const GIVE_UP_MS = 500;
const WARM_UP_SECONDS = 10;
/** Calls that are always in flight while the peak is looked for. */
const PEAK_IN_FLIGHT = [64, 256, 1024];
const MULTIPLES = [0.5, 1, 2, 3];

const { values: args } = parseArgs({
  options: { seconds: { type: 'string', default: '8' }, profile: { type: 'string' } },
});
const seconds = Number(args.seconds);
const profileFolder = args.profile === undefined ? undefined : resolve(args.profile);

await inRunFolder(async (folder, closers) => {
  const loadBefore = loadAverage();
  const options = { folder, root: ROOT, keys: KEYS, connections: CONNECTIONS, giveUpMs: GIVE_UP_MS, profileFolder };
  const world = await startAuthzWorld(options, closers);
  const report = await measure(world, loadBefore);
  console.info(`\n${report}`);
  if (profileFolder === undefined) await writeSection(RESULTS, report);
  else console.info('Profiling costs CPU too: not written to bench/results.md.');
});
process.exit();

async function measure(running: AuthzWorld, loadBefore: string): Promise<string> {
  const round = (name: string, order: LoadOrder) => runRound(running, name, order);
  await round('warm-up', { inFlight: 256, seconds: WARM_UP_SECONDS });
  const tries: OverloadRound[] = [];
  for (const inFlight of PEAK_IN_FLIGHT) tries.push(await round(`${inFlight} in flight`, { inFlight, seconds: seconds / 2 }));
  const peak = Math.max(...tries.map(({ load }) => load.accepted / load.seconds));

  const maxInFlight = breakerOf();
  const sides = [];
  for (const [side, bound] of [
    ['one Envoy', { maxInFlight }],
    ['many Envoys', {}],
  ] as const) {
    const rounds: OverloadRound[] = [];
    for (const multiple of MULTIPLES)
      rounds.push(await round(`${side}, ${multiple}×`, { perSecond: peak * multiple, seconds, ...bound }));
    rounds.push(await round(`${side}, 0.5× at once after that`, { perSecond: peak / 2, seconds: 1, ...bound }));
    sides.push({ side, rounds });
  }
  return overloadReport({
    peak,
    sides,
    about: [
      ...(await provenance(ROOT, running.versions, 'overload')),
      [
        'load',
        `${CONNECTIONS} connections of HTTP/2 over a unix socket, ${KEYS} keys in turn, ${seconds} s each, no call repeated`,
      ],
      ['one Envoy', `its circuit breaker sends no more than ${maxInFlight} calls at once, and refuses the others by itself`],
      ['many Envoys', 'no bound: each call is sent'],
      ['given up', `by the caller after ${GIVE_UP_MS} ms, as Envoy does`],
      ['load average before', loadBefore],
    ],
  });
}

async function runRound({ authz, driver, metric }: AuthzWorld, name: string, order: LoadOrder): Promise<OverloadRound> {
  const [cpu, shedBefore] = [await familyNanosOf(authz.pid), await shedCount(metric)];
  const load = await driver.load(order);
  const authzCpuSeconds = ((await familyNanosOf(authz.pid)) - cpu) / 1e9;
  const shedByAuthz = (await shedCount(metric)) - shedBefore;
  if (shedByAuthz < load.shed) throw new Error(`${load.shed} calls were shed, but authz counts ${shedByAuthz}`);
  const { accepted, shed, refused, late, broken, other } = load;
  if (other > 0) throw new Error(`${other} answers were neither a decision nor an error_response`);
  console.info(`${name}: ${JSON.stringify({ accepted, shed, refused, late, broken })} in ${load.seconds.toFixed(1)} s`);
  return { name, load, authzCpuSeconds };
}

/** As authz counts them: refused for want of time, or since the database was too slow. */
async function shedCount(metric: AuthzWorld['metric']): Promise<number> {
  const series = (decision: string): string =>
    `tollgate_authz_decisions_total{decision="${decision}",reason="authorization_unavailable",service="authz"}`;
  return (await metric(series('shed'))) + (await metric(series('unavailable')));
}

interface Configuration {
  static_resources: {
    clusters: { name: string; circuit_breakers?: { thresholds: { max_requests: number }[] } }[];
  };
}

/** How many calls an Envoy of ours sends to authz at once. */
function breakerOf(): number {
  const { static_resources: resources } = parse(renderEnvoyConfig()) as Configuration;
  const bound = resources.clusters.find(({ name }) => name === 'authz')?.circuit_breakers?.thresholds[0]?.max_requests;
  if (bound === undefined) throw new Error('the rendered configuration has another shape than expected');
  return bound;
}

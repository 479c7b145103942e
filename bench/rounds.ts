/** One round of load on one of the two gateways, and what it cost each process. */
import { until } from '@tollgate/testing/until';
import { watchMachine } from './disturbance.js';
import { type LoadResult, runLoad } from './load.js';
import { familyNanosOf } from './machine.js';
import { metricIn } from './metric.js';
import type { Part, World } from './world.js';

/** Envoy alone as fast as it can, and at the gateway's own rate: with less to do at once, a request costs it more. */
export type Variant = 'gateway' | 'alone-paced' | 'alone';

export interface Round {
  variant: Variant;
  /** As Envoy counted them, with those that were cut off at the end of the load. */
  requests: number;
  /** Passed without a limit, as ratelimit took longer than Envoy waits: few, or the round is a disturbed one. */
  unlimited: number;
  /** CPU per request in microseconds; for Envoy alone only `Envoy`. */
  costs: Partial<Record<Part, number>>;
  load: LoadResult;
  /** Why the figures are worth less: somebody else used the machine. Empty in a good round. */
  disturbances: string[];
  /** The share of CPU time that others had and of requests that went another way than they should: the less, the better. */
  disturbance: number;
}

export interface LoadSettings {
  wrk: string;
  connections: number;
  seconds: number;
  /** Requests a second, about; as many as are answered where it is not given. */
  rate?: number;
}

/** Of the requests of a round: how many may be limited by nobody, or by ratelimit alone while Redis was late. */
const MAX_UNLIMITED = 0.005;
const STORED_DEADLINE_MS = 60_000;

/**
 * Runs a round. Throws where it cannot mean anything: an answer that was no 200, or rows of usage that are not exactly
 * the requests of the organization.
 */
export async function runRound(world: World, variant: Variant, settings: LoadSettings): Promise<Round> {
  const side = variant === 'gateway' ? world.gateway : world.alone;
  const pids: Partial<Record<Part, number>> = variant === 'gateway' ? world.gateway.pids : { Envoy: world.alone.pid };
  const everybody = [...Object.values(world.gateway.pids), world.alone.pid, world.upstreamPid];
  const disturbed = await watchMachine(everybody);
  const before = await readings(world, side.adminUrl, pids);
  const load = await runLoad(settings.wrk, { ...settings, url: side.url, callers: world.callers, folder: world.folder });
  if (load.failures.length > 0) throw new Error(`not every answer was a good one: ${load.failures.join('; ')}`);
  if (variant === 'gateway') await usageIsStored(world, before);
  const after = await readings(world, side.adminUrl, pids);

  const requests = after.counts.requests - before.counts.requests;
  const good = after.counts.good - before.counts.good;
  if (good < load.completed || requests > load.completed + settings.connections)
    throw new Error(`${load.completed} answers arrived, but Envoy counted ${requests} requests and ${good} good answers`);
  const unlimited = after.counts.unlimited - before.counts.unlimited;
  const uncounted = after.counts.identified - before.counts.identified - (after.counts.taken - before.counts.taken);
  const costs = Object.entries(after.cpu).map(([part, nanos]) => [part, (nanos - (before.cpu[part] ?? 0)) / 1000 / requests]);
  const { foreign, stolen, reasons } = await disturbed();
  const disturbances = [
    ...reasons,
    ...(unlimited > requests * MAX_UNLIMITED ? [`${unlimited} requests were not limited`] : []),
    ...(uncounted > requests * MAX_UNLIMITED ? [`${uncounted} requests were limited without Redis`] : []),
  ];
  const disturbance = foreign + stolen + (unlimited + Math.max(0, uncounted)) / requests;
  return { variant, requests, unlimited, costs: Object.fromEntries(costs), load, disturbances, disturbance };
}

interface Readings {
  /** Nanoseconds of the measured parts. */
  cpu: Record<string, number>;
  counts: Counts;
}

async function readings(world: World, adminUrl: string, pids: Partial<Record<Part, number>>): Promise<Readings> {
  const counts = await countsOf(world, adminUrl);
  const cpu = await Promise.all(Object.entries(pids).map(async ([part, pid]) => [part, await familyNanosOf(pid)] as const));
  return { cpu: Object.fromEntries(cpu), counts };
}

interface Counts {
  requests: number;
  good: number;
  /** Requests whose key authz let pass: the ones that are usage. */
  identified: number;
  stored: number;
  unlimited: number;
  /** Redis decided. */
  taken: number;
}

async function countsOf(world: World, adminUrl: string): Promise<Counts> {
  const stats = await textOf(`${adminUrl}/stats?filter=^http.edge`);
  const collected = await textOf(world.metricsUrls.collector);
  const limited = await textOf(world.metricsUrls.ratelimit);
  const stat = (name: string): number => Number(new RegExp(`^http\\.edge\\.${name}: (\\d+)$`, 'm').exec(stats)?.[1] ?? 0);
  return {
    requests: stat('downstream_rq_total'),
    good: stat('downstream_rq_2xx'),
    identified: stat('ext_authz\\.apikey\\.ok'),
    stored: await storedUsage(world),
    unlimited: Number(/^tollgate_usage_events_total\{.*stage="unlimited".*\} (\d+)$/m.exec(collected)?.[1]),
    taken:
      metricIn(limited, 'tollgate_ratelimit_store_duration_seconds_count') -
      metricIn(limited, 'tollgate_ratelimit_degraded_takes_total'),
  };
}

/** From the hourly sums, which the writer feeds with the rows that it really inserted: to ask costs next to nothing. */
async function storedUsage({ db }: World): Promise<number> {
  const rows = await db.query<{ requests: string }>('SELECT coalesce(sum(requests), 0) AS requests FROM usage_hourly');
  return Number(rows[0]?.requests);
}

/** Until then the collector, the writer and the database still work on this round. */
async function usageIsStored(world: World, before: Readings): Promise<void> {
  let counted = 'nothing';
  await until(
    async () => {
      const { identified, stored } = await countsOf(world, world.gateway.adminUrl);
      const [passed, rows] = [identified - before.counts.identified, stored - before.counts.stored];
      counted = `${rows} rows for ${passed} requests`;
      if (rows > passed) throw new Error('more rows than requests');
      return passed > 0 && rows === passed;
    },
    STORED_DEADLINE_MS,
    'a row of usage for each request',
  ).catch((cause: unknown) => {
    throw new Error(`usage was counted wrongly: ${counted}`, { cause });
  });
}

async function textOf(url: string): Promise<string> {
  return (await fetch(url, { signal: AbortSignal.timeout(5_000) })).text();
}

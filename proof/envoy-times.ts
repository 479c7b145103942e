/** How long Envoy waited for a service, as its own histograms tell: between two looks, in buckets. */
import { setTimeout as pause } from 'node:timers/promises';

/** How many answers came within so many milliseconds; the last bound is infinite. */
export type Buckets = ReadonlyMap<number, number>;

const FLUSHED_EVERY_MS = 250;

/** Envoy gathers its histograms every five seconds unless told: too seldom for a phase of a few. */
export function flushingOften(yaml: string): string {
  return `${yaml.trimEnd()}\nstats_flush_interval: ${FLUSHED_EVERY_MS / 1000}s\n`;
}

/** What was answered before the call is in it, for an Envoy with {@link flushingOften}. */
export async function lookAtTimes(envoyAdminUrl: string, cluster: 'authz' | 'ratelimit'): Promise<Buckets> {
  await pause(2 * FLUSHED_EVERY_MS);
  const page = await (await fetch(`${envoyAdminUrl}/stats/prometheus?filter=upstream_rq_time`)).text();
  const lines = page.matchAll(/^envoy_cluster_upstream_rq_time_bucket\{(.*)le="([^"]+)"\} (\d+)$/gm);
  const own = [...lines].filter(([, labels]) => labels?.includes(`envoy_cluster_name="${cluster}"`));
  if (own.length === 0) throw new Error(`Envoy tells no times of ${cluster}`);
  return new Map(own.map(([, , bound, within]) => [bound === '+Inf' ? Infinity : Number(bound), Number(within)]));
}

/** The bound below which this share of the answers between two looks came. NaN where there were none. */
export function boundOf(before: Buckets, after: Buckets, share: number): number {
  const total = (after.get(Infinity) ?? 0) - (before.get(Infinity) ?? 0);
  if (total === 0) return Number.NaN;
  const bounds = [...after.keys()].sort((a, b) => a - b);
  return bounds.find((bound) => (after.get(bound) ?? 0) - (before.get(bound) ?? 0) >= share * total) ?? Infinity;
}

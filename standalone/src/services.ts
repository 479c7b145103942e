import { readConfig as readAuthzConfig } from '@tollgate/authz-service/config';
import { startAuthzService } from '@tollgate/authz-service/service';
import { readConfig as readRateLimitConfig } from '@tollgate/ratelimit-service/config';
import { startRateLimitService } from '@tollgate/ratelimit-service/service';
import type { Logger } from '@tollgate/service-kit/log';
import { readConfig as readCollectorConfig } from '@tollgate/usage-processor/collector/config';
import { startCollector } from '@tollgate/usage-processor/collector/service';
import { readConfig as readReconcilerConfig } from '@tollgate/usage-processor/reconciler/config';
import { startReconciler } from '@tollgate/usage-processor/reconciler/service';
import { readConfig as readWriterConfig } from '@tollgate/usage-processor/writer/config';
import { startWriter } from '@tollgate/usage-processor/writer/service';
import type { Closers } from './closers.js';
import type { ServiceName, StandaloneConfig } from './config.js';

/**
 * Starts every service that Envoy asks, and the writer, in this process, and waits until they can decide. Returns the URL of each one's health and metrics.
 * They end in the opposite order: the writer after the collector, so that it stores what that still brought in.
 */
export async function startServices(
  config: StandaloneConfig,
  settings: Record<ServiceName, Record<string, string>>,
  closers: Closers,
  loggerOf: (service: string) => Logger,
): Promise<Record<Exclude<ServiceName, 'reconciler'>, string>> {
  const environment = (service: ServiceName) => ({ ...config.environment, ...settings[service] });

  const authz = await startAuthzService(readAuthzConfig(environment('authz')), { log: loggerOf('authz') });
  closers.add('authz', () => authz.close());
  const ratelimit = await startRateLimitService(readRateLimitConfig(environment('ratelimit')), { log: loggerOf('ratelimit') });
  closers.add('ratelimit', () => ratelimit.close());
  const writer = await startWriter(readWriterConfig(environment('writer')), { log: loggerOf('writer') });
  closers.add('writer', () => writer.close({ drain: true }));
  const collector = await startCollector(readCollectorConfig(environment('collector')), { log: loggerOf('collector') });
  closers.add('collector', () => collector.close());
  await Promise.all([authz.ready, ratelimit.ready]);

  return {
    authz: `http://${authz.adminAddress}`,
    ratelimit: `http://${ratelimit.adminAddress}`,
    collector: `http://${collector.adminAddress}`,
    writer: `http://${writer.adminAddress}`,
  };
}

/** As {@link startServices}, of the one that stands beside a running Envoy. */
export async function startReconcilerHere(
  config: StandaloneConfig,
  settings: Record<string, string>,
  closers: Closers,
  loggerOf: (service: string) => Logger,
): Promise<{ reconciler: string }> {
  const environment = { ...config.environment, ...settings };
  const reconciler = await startReconciler(readReconcilerConfig(environment), { log: loggerOf('reconciler') });
  closers.add('reconciler', () => reconciler.close());
  return { reconciler: `http://${reconciler.adminAddress}` };
}

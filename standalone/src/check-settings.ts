import { readConfig as readAuthzConfig } from '@tollgate/authz-service/config';
import { parseUpstreamUrl } from '@tollgate/envoy-config/upstream-url';
import { readConfig as readRateLimitConfig } from '@tollgate/ratelimit-service/config';
import { type Environment, SettingsError } from '@tollgate/service-kit/settings';
import { readConfig as readCollectorConfig } from '@tollgate/usage-processor/collector/config';
import { readConfig as readReconcilerConfig } from '@tollgate/usage-processor/reconciler/config';
import { readConfig as readWriterConfig } from '@tollgate/usage-processor/writer/config';
import { readConfig, type ServiceName, type StandaloneConfig, serviceSettings } from './config.js';

const READERS: Record<ServiceName, (env: Environment) => unknown> = {
  authz: readAuthzConfig,
  ratelimit: readRateLimitConfig,
  collector: readCollectorConfig,
  writer: readWriterConfig,
  reconciler: readReconcilerConfig,
};

/**
 * As {@link readConfig}, and looks at the services' own settings too: whoever starts everything at once hears of every
 * mistake at once, and before anything was started.
 */
export function readAllSettings(env: Environment, homeFolder: string): StandaloneConfig {
  const problems = new Set<string>();
  const config = noting(problems, () => readConfig(env, homeFolder));
  const upstream = config?.upstreamUrl === undefined ? undefined : parseUpstreamUrl(config.upstreamUrl);
  if (upstream?.kind === 'refused') problems.add(`UPSTREAM_URL ${upstream.reason}.`);
  // Addresses that are not known yet; theirs are never wrong.
  const placeholder = { dataFolder: '.', redisUrl: config?.redisUrl, environment: env };
  const settings = serviceSettings(placeholder, 'postgres://localhost', '/tmp', 'gateway');
  for (const service of Object.keys(READERS) as ServiceName[]) {
    noting(problems, () => READERS[service]({ ...env, ...settings[service] }));
  }
  if (config === undefined || problems.size > 0) throw new SettingsError([...problems]);
  return config;
}

function noting<Config>(problems: Set<string>, read: () => Config): Config | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    for (const problem of error.problems) problems.add(problem);
    return undefined;
  }
}

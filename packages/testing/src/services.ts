import { join } from 'node:path';
import { startPostgres } from '@tollgate/embedded/embedded-postgres';
import { findRedisServer } from './redis-server.js';
import { cacheFolder, needRunVariable, type RunVariable, readRunVariable } from './run-environment.js';

export type Services = {
  variables: Partial<Record<RunVariable, string>>;
  /** One line for people: what is used, and where it came from. */
  description: string;
  close(): Promise<void>;
};

const PROVIDERS: Record<string, (folder: string) => Promise<Services>> = {
  local: localServices,
  external: externalServices,
  containers: containerServices,
};

/** `provider` is one of local (found or installed on this machine), external (the URLs are given), containers. */
export async function startServices(provider: string, folder: string): Promise<Services> {
  const start = PROVIDERS[provider];
  if (start === undefined)
    throw new Error(`TEST_SERVICES is ${provider}, but must be one of ${Object.keys(PROVIDERS).join(', ')}.`);
  return start(folder);
}

async function localServices(folder: string): Promise<Services> {
  const [postgres, redis] = await Promise.all([
    startPostgres({ folder: join(folder, 'postgres'), isThrowaway: true, recordIn: folder }),
    findRedisServer({ cacheFolder: cacheFolder(), log: console.info }),
  ]);
  // Vitest leaves at once on Ctrl-C, with no time for a tear-down; the rest is done by the next run.
  const stopAtExit = () => postgres.signal('SIGINT');
  process.once('exit', stopAtExit);
  return {
    variables: { TEST_DATABASE_URL: postgres.url, TEST_REDIS_SERVER: redis.path },
    description: `postgres: embedded ${postgres.version} · redis: ${redis.path} ${redis.version} (${redis.source}) · ${onDemandDescription()}`,
    close: () => {
      process.off('exit', stopAtExit);
      return postgres.close();
    },
  };
}

async function externalServices(): Promise<Services> {
  const databaseUrl = needRunVariable('TEST_DATABASE_URL');
  const redisUrl = needRunVariable('TEST_REDIS_URL');
  // Tests that kill a Redis need one of their own, whatever the others use.
  const redis = await findRedisServer({ cacheFolder: cacheFolder(), log: console.info });
  return {
    variables: { TEST_REDIS_SERVER: redis.path },
    description: `postgres: ${hostOf(databaseUrl)} · redis: ${hostOf(redisUrl)}, faults: ${redis.path} · ${onDemandDescription()}`,
    close: async () => {},
  };
}

async function containerServices(): Promise<Services> {
  const { startContainers } = await import('./containers.js');
  const containers = await startContainers();
  const redis = await findRedisServer({ cacheFolder: cacheFolder(), log: console.info });
  return {
    variables: { TEST_DATABASE_URL: containers.databaseUrl, TEST_REDIS_URL: containers.redisUrl, TEST_REDIS_SERVER: redis.path },
    description: `containers: ${containers.images.join(', ')} · redis for faults: ${redis.path} · ${onDemandDescription()}`,
    close: containers.close,
  };
}

/** Only few suites need Envoy or Kafka, so they find or download it themselves. */
function onDemandDescription(): string {
  const when = 'found or downloaded when a test asks for it';
  return `envoy: ${readRunVariable('TEST_ENVOY_PATH') ?? when} · kafka: ${readRunVariable('TEST_KAFKA_BROKERS') ?? when}`;
}

function hostOf(url: string): string {
  return `external ${new URL(url).host}`;
}

/** Everything that is measured, each part in a process of its own: the gateway with all its services, and Envoy alone. */
import { join } from 'node:path';
import { findEnvoy } from '@tollgate/embedded/envoy-binary';
import { startEnvoy } from '@tollgate/embedded/envoy-process';
import { freePort } from '@tollgate/embedded/free-port';
import type { Address } from '@tollgate/envoy-config/options';
import { renderEnvoyConfig } from '@tollgate/envoy-config/render-envoy-config';
import { createApiKey } from '@tollgate/postgres/api-keys';
import type { Database } from '@tollgate/postgres/database';
import { createOrganization } from '@tollgate/postgres/organizations';
import { setPlan } from '@tollgate/postgres/plans';
import { cacheFolder } from '@tollgate/testing/run-environment';
import { until } from '@tollgate/testing/until';
import { envoyAloneConfig, upstreamConfig } from './envoy-alone.js';
import type { Closers } from './run-folder.js';
import { startProgram } from './start-program.js';
import { startBenchPostgres, startBenchRedis } from './stores.js';

/** Who spends CPU for a request that passes the gateway; the load generator and the upstream are nobody's cost. */
export type Part = 'Envoy' | 'authz' | 'ratelimit' | 'Redis' | 'collector' | 'writer' | 'PostgreSQL';

export interface WorldOptions {
  folder: string;
  /** The project, with its built programs in `dist`. */
  root: string;
  /** What Envoy and the services speak over. */
  transport: 'unix' | 'tcp';
  /** Who answers behind both: a small server on node:http, or an Envoy that costs next to nothing. */
  upstream: 'node' | 'envoy';
  /** How long ratelimit waits for Redis; STORE_TIMEOUT where nothing is said. */
  storeTimeout?: string;
  /** Where the services leave a CPU profile at their end. */
  profileFolder: string | undefined;
}

export interface World {
  gateway: { url: string; adminUrl: string; pids: Record<Part, number> };
  alone: { url: string; adminUrl: string; pid: number };
  /** As gRPC spells them. */
  serviceAddresses: { authz: string; ratelimit: string };
  upstreamPid: number;
  metricsUrls: { ratelimit: string; collector: string };
  db: Database;
  callers: readonly Caller[];
  folder: string;
  versions: string;
}

/** High enough that nothing is limited, low enough that the bucket's arithmetic stays exact. */
const LIMITS = { perMinute: 100_000_000, burst: 100_000_000, perDay: 100_000_000_000 };
/** So many take turns: what one organization alone asks for, Redis would count in one place. */
export const CALLERS = 50;
const ACTOR = 'bench';
/** Longer than by default: with every CPU busy Redis may be late, and ratelimit would decide alone, at less cost. */
export const STORE_TIMEOUT = '40ms';
const READY_DEADLINE_MS = 30_000;

/** An organization, and the headers of its requests with its key. */
export interface Caller {
  organizationId: string;
  keyId: string;
  headers: Readonly<Record<string, string>>;
}

/** What every gateway of a bench needs, and nobody's cost: storage, Redis, callers, the API behind. */
export interface Base {
  postgres: { url: string; pid: number };
  redis: { url: string; pid: number };
  db: Database;
  callers: readonly Caller[];
  upstream: { port: number; pid: number };
  versions: string;
  /** Settings of the services. */
  settings: Readonly<Record<string, string>>;
  startEnvoy(name: string, configYaml: string): Promise<{ pid: number; adminUrl: string }>;
}

export async function startBase(options: Omit<WorldOptions, 'transport' | 'profileFolder'>, closers: Closers): Promise<Base> {
  const { folder } = options;
  const envoyBinary = await findEnvoy({ cacheFolder: cacheFolder(), log: (line) => console.info(line) });

  const postgres = await startBenchPostgres(folder, options.root, closers);
  const redis = await startBenchRedis(folder, closers);

  const startOneEnvoy = async (name: string, configYaml: string) => {
    const envoy = await startEnvoy({
      binary: envoyBinary.path,
      configYaml,
      folder: join(folder, name),
      concurrency: 1,
      recordIn: folder,
    });
    closers.push(() => envoy.kill());
    return envoy;
  };
  const upstreamPort = await freePort();
  const nodeUpstream = join(options.root, 'bench', 'node-upstream.mjs');
  const upstream =
    options.upstream === 'envoy'
      ? await startOneEnvoy('upstream', upstreamConfig(upstreamPort))
      : await startProgram(folder, closers, 'upstream', process.execPath, [nodeUpstream, String(upstreamPort)], {}, /listening/);
  await setPlan(postgres.db, 'bench', LIMITS, ACTOR);
  return {
    callers: await makeCallers(postgres.db, 'Bench'),
    postgres,
    redis,
    db: postgres.db,
    upstream: { port: upstreamPort, pid: upstream.pid },
    versions: `Node.js ${process.version}, Envoy ${envoyBinary.version}, Redis ${redis.version}, PostgreSQL ${postgres.version}`,
    settings: {
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
      RATELIMIT_STORE_TIMEOUT: options.storeTimeout ?? STORE_TIMEOUT,
      DATA_DIR: join(folder, 'data'),
    },
    startEnvoy: startOneEnvoy,
  };
}

export async function startWorld(options: WorldOptions, closers: Closers): Promise<World> {
  const base = await startBase(options, closers);
  const service = (name: string) => startService(options, closers, name, base.settings);
  const [authz, ratelimit, writer] = [await service('authz'), await service('ratelimit'), await service('writer')];
  const collector = await service('collector');
  const gatewayOptions = async (port: number) => ({
    gateway: { host: '127.0.0.1', port },
    admin: { host: '127.0.0.1', port: 0 },
    upstreamUrl: `http://127.0.0.1:${base.upstream.port}`,
    authz: [authz.address],
    ratelimit: [ratelimit.address],
    usage: [collector.address],
  });
  const [gatewayPort, alonePort] = [await freePort(), await freePort()];
  const alone = await base.startEnvoy('envoy-alone', envoyAloneConfig(await gatewayOptions(alonePort)));
  const gateway = await base.startEnvoy('gateway', renderEnvoyConfig(await gatewayOptions(gatewayPort)));
  await servicesAreHealthy(gateway.adminUrl);

  return {
    gateway: {
      url: `http://127.0.0.1:${gatewayPort}/v1/things`,
      adminUrl: gateway.adminUrl,
      pids: {
        Envoy: gateway.pid,
        authz: authz.pid,
        ratelimit: ratelimit.pid,
        Redis: base.redis.pid,
        collector: collector.pid,
        writer: writer.pid,
        PostgreSQL: base.postgres.pid,
      },
    },
    alone: { url: `http://127.0.0.1:${alonePort}/v1/things`, adminUrl: alone.adminUrl, pid: alone.pid },
    serviceAddresses: { authz: spelled(authz.address), ratelimit: spelled(ratelimit.address) },
    upstreamPid: base.upstream.pid,
    metricsUrls: {
      ratelimit: `http://${ratelimit.adminAddress}/metrics`,
      collector: `http://${collector.adminAddress}/metrics`,
    },
    db: base.db,
    callers: base.callers,
    folder: options.folder,
    versions: base.versions,
  };
}

/** Organizations of the plan `bench`, as many as take turns, and the headers of their requests: those of a common client. */
export async function makeCallers(db: Database, name: string): Promise<Caller[]> {
  const callers: Caller[] = [];
  for (let i = 0; i < CALLERS; i++) {
    const { id } = await createOrganization(db, { name: `${name} ${i}`, plan: 'bench', billingAnchorDay: 1 }, ACTOR);
    const key = { organizationId: id, name: 'bench', environment: 'live', scopes: [], createdBy: ACTOR } as const;
    const created = await createApiKey(db, key, ACTOR);
    const headers = { 'User-Agent': 'bench/1.0', Accept: 'application/json', 'X-API-Key': created.secret };
    callers.push({ organizationId: id, keyId: created.key.id, headers });
  }
  return callers;
}

/** As gRPC spells it. */
export function spelled(address: Address): string {
  return 'unix' in address ? `unix:${address.unix}` : `${address.host}:${address.port}`;
}

export interface StartedService {
  pid: number;
  /** For Envoy's configuration. */
  address: Address;
  adminAddress: string;
}

/** A built service in a process of its own, ready; `settings` are its own. Of several instances each has a `label`. */
export async function startService(
  { folder, root, transport, profileFolder }: Omit<WorldOptions, 'upstream'>,
  closers: Closers,
  name: string,
  settings: Readonly<Record<string, string>>,
  label = name,
): Promise<StartedService> {
  const socket = join(folder, `${label}.sock`);
  const env = {
    [`${name.toUpperCase()}_LISTEN`]: transport === 'unix' ? `unix:${socket}` : '127.0.0.1:0',
    ADMIN_LISTEN: '127.0.0.1:0',
    ...settings,
  };
  const profile =
    profileFolder === undefined
      ? []
      : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`, `--cpu-prof-name=${label}.cpuprofile`, '--cpu-prof-interval=500'];
  const args = [...profile, join(root, 'dist', `${name}.js`)];
  const { pid, readyLine } = await startProgram(folder, closers, label, process.execPath, args, env, /^.*"msg":"ready".*$/m);
  const ready = JSON.parse(readyLine) as { address?: string; admin_address: string };
  const port = Number(/:(\d+)$/.exec(ready.address ?? '')?.[1]);
  return {
    pid,
    address: transport === 'unix' ? { unix: socket } : { host: '127.0.0.1', port },
    adminAddress: ready.admin_address,
  };
}

/** Until each of these clusters has so many healthy hosts. */
export async function servicesAreHealthy(
  adminUrl: string,
  clusters: readonly string[] = ['authz', 'ratelimit', 'usage'],
  hosts = 1,
): Promise<void> {
  await until(
    async () => {
      const stats = await (await fetch(`${adminUrl}/stats?filter=membership_healthy`)).text();
      return clusters.every((name) => stats.includes(`cluster.${name}.membership_healthy: ${hosts}`));
    },
    READY_DEADLINE_MS,
    'healthy services',
  );
}

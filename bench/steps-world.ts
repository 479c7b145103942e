/** The arrangements whose cost is compared: each an Envoy of its own before the services that it needs. */
import { join } from 'node:path';
import { freePort } from '@tollgate/embedded/free-port';
import { type CallOut, envoyAloneConfig } from './envoy-alone.js';
import type { Closers } from './run-folder.js';
import { type Caller, type StartedService, servicesAreHealthy, startBase, startService, type WorldOptions } from './world.js';

export interface Step {
  name: string;
  url: string;
  adminUrl: string;
  envoyPid: number;
  /** Of the services that it asks, by their part. */
  pids: Readonly<Record<string, readonly number[]>>;
}

export interface StepsWorld {
  steps: readonly Step[];
  /** Of all processes but the Envoys. */
  pids: readonly number[];
  callers: readonly Caller[];
  folder: string;
  versions: string;
}

interface Services {
  authz: readonly StartedService[];
  ratelimit: readonly StartedService[];
  usage: readonly StartedService[];
  /** Where the limits are in Redis. */
  redisPid?: number;
}

const PROCESSES = 4;
const ALL: readonly CallOut[] = ['authz', 'ratelimit', 'usage'];

export async function startStepsWorld(
  options: Omit<WorldOptions, 'transport' | 'profileFolder'>,
  closers: Closers,
): Promise<StepsWorld> {
  const base = await startBase(options, closers);
  const { settings } = base;
  const { REDIS_URL: _, ...inMemory } = settings;
  const started: StartedService[] = [];
  const start = async (
    name: string,
    label: string,
    own: Readonly<Record<string, string>>,
    transport: 'unix' | 'tcp' = 'unix',
  ) => {
    const service = await startService({ ...options, transport, profileFolder: undefined }, closers, name, own, label);
    started.push(service);
    return service;
  };
  const several = async (name: string): Promise<StartedService[]> => {
    const all: StartedService[] = [];
    for (let i = 0; i < PROCESSES; i++) all.push(await start(name, `${name}-${i}`, settings));
    return all;
  };
  const [authz, ratelimit] = [await several('authz'), await several('ratelimit')];
  const usage = [await start('collector', 'collector', settings)];
  await start('writer', 'writer', settings);
  const memory = await start('ratelimit', 'ratelimit-memory', {
    ...inMemory,
    RATELIMIT_STORE: 'memory',
    DATA_DIR: join(options.folder, 'memory'),
  });
  // A log has one writer: what this collector takes in is stored by nobody.
  const tcp: Services = {
    authz: [await start('authz', 'authz-tcp', settings, 'tcp')],
    ratelimit: [await start('ratelimit', 'ratelimit-tcp', settings, 'tcp')],
    usage: [await start('collector', 'collector-tcp', { ...settings, DATA_DIR: join(options.folder, 'tcp') }, 'tcp')],
    redisPid: base.redis.pid,
  };
  const many = (count: number): Services => ({
    authz: authz.slice(0, count),
    ratelimit: ratelimit.slice(0, count),
    usage,
    redisPid: base.redis.pid,
  });

  const step = async (name: string, callOuts: readonly CallOut[], services: Services): Promise<Step> => {
    const port = await freePort();
    const address = ({ address: own }: StartedService) => own;
    const config = envoyAloneConfig(
      {
        gateway: { host: '127.0.0.1', port },
        admin: { host: '127.0.0.1', port: 0 },
        upstreamUrl: `http://127.0.0.1:${base.upstream.port}`,
        authz: services.authz.map(address),
        ratelimit: services.ratelimit.map(address),
        usage: services.usage.map(address),
      },
      callOuts,
    );
    const envoy = await base.startEnvoy(`envoy-${port}`, config);
    for (const callOut of callOuts) await servicesAreHealthy(envoy.adminUrl, [callOut], services[callOut].length);
    return {
      name,
      url: `http://127.0.0.1:${port}/v1/things`,
      adminUrl: envoy.adminUrl,
      envoyPid: envoy.pid,
      pids: pidsOf(callOuts, services),
    };
  };
  const steps = [
    await step('Envoy alone', [], many(1)),
    await step('Envoy alone, once more', [], many(1)),
    await step('+ authz', ['authz'], many(1)),
    await step('+ ratelimit', ['authz', 'ratelimit'], many(1)),
    await step('+ access log: all', ALL, many(1)),
    await step('all, limits in memory', ALL, { authz: authz.slice(0, 1), ratelimit: [memory], usage }),
    await step('all, over TCP', ALL, tcp),
    await step('all, 2 of authz and ratelimit each', ALL, many(2)),
    await step(`all, ${PROCESSES} of authz and ratelimit each`, ALL, many(PROCESSES)),
  ];
  const pids = [...started.map(({ pid }) => pid), base.redis.pid, base.postgres.pid, base.upstream.pid];
  return { steps, pids, callers: base.callers, folder: options.folder, versions: base.versions };
}

function pidsOf(callOuts: readonly CallOut[], services: Services): Record<string, readonly number[]> {
  const pids: Record<string, readonly number[]> = {};
  for (const callOut of callOuts) pids[callOut === 'usage' ? 'collector' : callOut] = services[callOut].map(({ pid }) => pid);
  if (callOuts.includes('ratelimit') && services.redisPid !== undefined) pids['Redis'] = [services.redisPid];
  return pids;
}

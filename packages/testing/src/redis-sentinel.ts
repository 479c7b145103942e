import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BackgroundProcess, startBackgroundProcess, stopInSteps } from '@tollgate/embedded/background-process';
import { freePort } from '@tollgate/embedded/free-port';
import { onFreePorts } from './on-free-ports.js';
import { type RedisServer, startRedisOn } from './redis.js';
import { redisCommand } from './redis-command.js';
import { type RedisTls, tlsArguments } from './redis-tls.js';
import { needRunVariable, newRunFolder } from './run-environment.js';
import { until } from './until.js';

const SENTINELS = 3;
const FORM_DEADLINE_MS = 30_000;

export interface RedisSentinels {
  /** `redis[s]+sentinel://…/limits`; the first address leads nowhere, as one of several may. */
  url: string;
  /** Of the Sentinels, for commands of the tests, without TLS. */
  ports: readonly number[];
  master: RedisServer;
  replica: RedisServer;
  close(): Promise<void>;
}

interface SentinelOptions {
  /** For how long the master must be gone. */
  downAfterMs?: number;
  /** Of servers and Sentinels, for 127.0.0.1. */
  tls?: RedisTls;
}

/** A master, its replica, and three Sentinels that make the replica master when that is gone. */
export async function startRedisSentinels({ downAfterMs = 1_000, tls }: SentinelOptions = {}): Promise<RedisSentinels> {
  const master = await startSecured(tls, []);
  const replica = await startSecured(tls, [
    '--replicaof',
    '127.0.0.1',
    String(master.clientPort),
    '--repl-diskless-sync-delay',
    '0',
  ]);
  await until(() => isCopied(replica.server), FORM_DEADLINE_MS, 'the replica');
  const { folder, runFolder } = await newRunFolder('sentinels');
  const watched = [`monitor limits 127.0.0.1 ${master.clientPort} 2`, `down-after-milliseconds limits ${downAfterMs}`];
  const sentinels: Sentinel[] = [];
  for (let i = 0; i < SENTINELS; i++) sentinels.push(await startSentinel({ folder, runFolder, watched, tls }));
  const ports = sentinels.map(({ port }) => port);
  await until(() => agree(ports), FORM_DEADLINE_MS, 'the Sentinels');
  const asked = [await freePort(), ...sentinels.map(({ clientPort }) => clientPort)];
  return {
    url: `${tls === undefined ? 'redis' : 'rediss'}+sentinel://${asked.map((port) => `127.0.0.1:${port}`).join(',')}/limits`,
    ports,
    master: master.server,
    replica: replica.server,
    close: async () => {
      await Promise.all(sentinels.map((each) => stopInSteps(each.process, [{ signal: 'SIGTERM', waitMs: 5_000 }])));
      await Promise.all([replica.server.close(), master.server.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** `clientPort` is that of TLS where there is TLS. */
function startSecured(tls: RedisTls | undefined, args: readonly string[]): Promise<{ server: RedisServer; clientPort: number }> {
  return onFreePorts(2, async ([port = 0, tlsPort = 0]) => {
    const server = await startRedisOn(port, { args: [...args, ...secured(tls, tlsPort)] });
    return { server, clientPort: tls === undefined ? port : tlsPort };
  });
}

function secured(tls: RedisTls | undefined, tlsPort: number): string[] {
  return tls === undefined ? [] : [...tlsArguments(tls, tlsPort), '--tls-replication', 'yes'];
}

interface Sentinel {
  process: BackgroundProcess;
  port: number;
  clientPort: number;
}

interface SentinelStart {
  folder: string;
  runFolder: string;
  /** Lines of its file, without their first word. */
  watched: readonly string[];
  tls: RedisTls | undefined;
}

function startSentinel({ folder, runFolder, watched, tls }: SentinelStart): Promise<Sentinel> {
  return onFreePorts(2, async ([port = 0, tlsPort = 0]) => {
    const file = join(folder, `${port}.conf`); // which it rewrites
    const words = [...watched, 'failover-timeout limits 5000'].map((line) => `sentinel ${line}`);
    await writeFile(file, `${[`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, ...words].join('\n')}\n`);
    const process = await startBackgroundProcess({
      command: needRunVariable('TEST_REDIS_SERVER'),
      args: [file, '--sentinel', ...secured(tls, tlsPort)],
      logFile: join(folder, `${port}.log`),
      hasOwnGroup: true,
      record: { folder: runFolder, name: 'redis-sentinel' },
    });
    const isUp = await until(
      () => redisCommand(port, 'PING').catch(() => !process.isRunning() && 'ended'),
      FORM_DEADLINE_MS,
      'redis-sentinel',
    );
    if (isUp === 'ended') throw new Error(`redis-sentinel did not start:\n${await process.lastLines()}`);
    return { process, port, clientPort: tls === undefined ? port : tlsPort };
  });
}

async function isCopied(replica: RedisServer): Promise<boolean> {
  return (await redisCommand(portOf(replica), 'INFO', 'replication')).includes('master_link_status:up');
}

/** Whether each knows the replica and the other Sentinels. */
async function agree(ports: readonly number[]): Promise<boolean> {
  for (const port of ports) {
    const info = await redisCommand(port, 'INFO', 'sentinel');
    if (!info.includes(`status=ok`) || !info.includes(`slaves=1,sentinels=${SENTINELS}`)) return false;
  }
  return true;
}

const portOf = (server: RedisServer): number => Number(new URL(server.url).port);

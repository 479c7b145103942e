import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BackgroundProcess, startBackgroundProcess, stopInSteps } from '@tollgate/embedded/background-process';
import { freePort } from '@tollgate/embedded/free-port';
import { type RedisServer, startRedis } from './redis.js';
import { redisCommand } from './redis-command.js';
import { needRunVariable, newRunFolder } from './run-environment.js';
import { until } from './until.js';

const SENTINELS = 3;
const FORM_DEADLINE_MS = 30_000;

export interface RedisSentinels {
  /** `redis+sentinel://…/limits`; the first address leads nowhere, as one of three may. */
  url: string;
  master: RedisServer;
  replica: RedisServer;
  close(): Promise<void>;
}

/** A master, its replica, and three Sentinels that make the replica master when that is gone for `downAfterMs`. */
export async function startRedisSentinels({ downAfterMs = 1_000 } = {}): Promise<RedisSentinels> {
  const master = await startRedis();
  const masterPort = portOf(master);
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(masterPort), '--repl-diskless-sync-delay', '0'] });
  await until(
    async () => (await redisCommand(portOf(replica), 'INFO', 'replication')).includes('master_link_status:up'),
    FORM_DEADLINE_MS,
  );
  const { folder, runFolder } = await newRunFolder('sentinels');
  const ports = await Promise.all(Array.from({ length: SENTINELS }, freePort));
  const sentinels: BackgroundProcess[] = [];
  for (const port of ports) sentinels.push(await startSentinel(folder, runFolder, port, masterPort, downAfterMs));
  await until(() => agree(ports), FORM_DEADLINE_MS, 'the Sentinels');
  const nowhere = await freePort();
  return {
    url: `redis+sentinel://${[nowhere, ...ports].map((port) => `127.0.0.1:${port}`).join(',')}/limits`,
    master,
    replica,
    close: async () => {
      await Promise.all(sentinels.map((each) => stopInSteps(each, [{ signal: 'SIGTERM', waitMs: 5_000 }])));
      await Promise.all([replica.close(), master.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function startSentinel(
  folder: string,
  runFolder: string,
  port: number,
  masterPort: number,
  downAfterMs: number,
): Promise<BackgroundProcess> {
  const file = join(folder, `${port}.conf`);
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor limits 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds limits ${downAfterMs}`,
    'sentinel failover-timeout limits 5000',
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  const sentinel = await startBackgroundProcess({
    command: needRunVariable('TEST_REDIS_SERVER'),
    args: [file, '--sentinel'],
    logFile: join(folder, `${port}.log`),
    hasOwnGroup: true,
    record: { folder: runFolder, name: 'redis-sentinel' },
  });
  await until(() => redisCommand(port, 'PING'), FORM_DEADLINE_MS, 'redis-sentinel');
  return sentinel;
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

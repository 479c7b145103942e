import { rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { type BackgroundProcess, startBackgroundProcess, stopInSteps } from '@tollgate/embedded/background-process';
import { flushedDatabase } from './external-redis.js';
import { onFreePorts } from './on-free-ports.js';
import { needRunVariable, newRunFolder, readRunVariable } from './run-environment.js';
import { until } from './until.js';

const STOP_STEPS = [{ signal: 'SIGTERM', waitMs: 5_000 }] as const;

export type FreshRedis = { url: string; close(): Promise<void> };

/** A Redis to be hurt: the URL stays the same through every stop and start. */
export type RedisServer = FreshRedis & {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
  /** Connections stay open, and nothing answers until `resume()`. */
  pause(): void;
  resume(): void;
};

/** An empty Redis that no other test sees: a server of its own, or a numbered database of TEST_REDIS_URL. */
export async function freshRedis(): Promise<FreshRedis> {
  const externalUrl = readRunVariable('TEST_REDIS_URL');
  return externalUrl === undefined ? startRedis() : { url: await flushedDatabase(externalUrl), close: async () => {} };
}

export interface RedisServerOptions {
  /** Its data is there again after `start()`. */
  isPersistent?: boolean;
  args?: readonly string[];
}

/** Starts a redis-server of this machine. */
export function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  return onFreePorts(1, ([port = 0]) => startRedisOn(port, options));
}

/** As startRedis, on this port. */
export async function startRedisOn(port: number, options: RedisServerOptions = {}): Promise<RedisServer> {
  const program = needRunVariable('TEST_REDIS_SERVER');
  const { folder, runFolder } = await newRunFolder('redis');
  const persistence = ['--save', '', '--appendonly', options.isPersistent === true ? 'yes' : 'no', '--appendfsync', 'always'];
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, ...persistence, ...(options.args ?? [])];
  const start = async (): Promise<BackgroundProcess> => {
    const record = { folder: runFolder, name: 'redis' };
    const server = await startBackgroundProcess({
      command: program,
      args,
      logFile: join(folder, 'redis.log'),
      hasOwnGroup: true,
      record,
    });
    const isUp = await until(
      async () => (await answersPing(port)) || (server.isRunning() ? false : 'ended'),
      10_000,
      'redis-server',
    );
    if (isUp === 'ended') throw new Error(`redis-server did not start:\n${await server.lastLines()}`);
    return server;
  };
  let server = await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    start: async () => {
      server = await start();
    },
    stop: () => stopInSteps(server, STOP_STEPS),
    kill: async () => {
      server.signal('SIGKILL');
      await server.exited;
    },
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    close: async () => {
      server.signal('SIGCONT');
      await stopInSteps(server, STOP_STEPS);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (reply) => settle(reply.toString().startsWith('+PONG')));
    socket.once('error', () => settle(false));
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
  });
}

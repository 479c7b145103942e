import { nextTick } from 'node:process';
import { parseRedisAddress, type RedisAddress } from '@tollgate/service-kit/redis-address';
import type { RedisServer } from '@tollgate/service-kit/redis-settings';
import { Redis, type RedisOptions } from 'ioredis';
import { StoreUnavailable } from '../store-unavailable.js';

/** Connection lost or regained, for the log. Called again for each attempt that fails. */
export type OnConnection = (state: 'ready' | 'lost', cause?: Error) => void;

/** One connection to one server, and how many of its calls are not answered yet, the late ones too. */
export interface RedisLane {
  readonly client: Redis;
  inFlight: number;
}

/** Takes that are sent in one turn of the event loop leave in one write: each would be a system call of its own. */
export function gatherWrites({ client: { stream } }: RedisLane): void {
  if (stream === undefined || stream.writableCorked > 0) return;
  stream.cork();
  nextTick(() => stream.uncork());
}

/** What differs between two connections: where, who, TLS. */
export type ServerOptions = Omit<RedisOptions, 'replyMapping'>;

const CONNECT_TIMEOUT_MS = 2_000;
/** A connection that owes answers and is silent for so long is replaced: its peer may be gone without a word. */
const SILENCE_MS = 2_000;
/** How often a server that loads its data is asked whether it has done so. */
const LOADING_LOOK_MS = 500;
const RECONNECT_INTERVAL_MS = 1_000;
const RECONNECT_JITTER_MS = 250;

const SETTINGS = {
  // A take that got no answer may have happened: sent again it would count twice, and kept in a queue it would be late.
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  enableAutoPipelining: false, // halves the throughput of scripts
  connectTimeout: CONNECT_TIMEOUT_MS,
  sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
  // With null it would end for good where no Sentinel answers.
  sentinelRetryStrategy: () => RECONNECT_INTERVAL_MS + Math.random() * RECONNECT_JITTER_MS,
  socketTimeout: SILENCE_MS,
  maxLoadingRetryTime: LOADING_LOOK_MS,
  disableClientInfo: true,
  // After a failover the old primary answers so; the address, or the Sentinels, then lead to the new one.
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
} satisfies RedisOptions;

/** Throws a RangeError, without the password, where the URL is none. */
export function addressOf({ url }: RedisServer): RedisAddress {
  try {
    return parseRedisAddress(url);
  } catch (error) {
    throw new RangeError(`the address of Redis ${(error as Error).message}`);
  }
}

/** What ioredis is told of login, TLS and, where they show the way, Sentinels. */
export function clientOptions(server: RedisServer, address: RedisAddress): ServerOptions {
  const password = server.password ?? address.password;
  const tls = address.isTls ? { ...server.tls } : undefined; // verified: chain and name, by the CA or the system's
  const login = {
    ...(address.username !== undefined && { username: address.username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls }),
    db: address.database,
  };
  if (address.kind !== 'sentinel') return { ...login, ...address.hosts[0] };
  return {
    ...login,
    sentinels: address.hosts.map((host) => ({ ...host })),
    name: address.masterName,
    role: 'master',
    ...(tls && { sentinelTLS: tls, enableTLSForSentinelMode: true }),
    ...(server.sentinelUsername !== undefined && { sentinelUsername: server.sentinelUsername }),
    ...(server.sentinelPassword !== undefined && { sentinelPassword: server.sentinelPassword }),
  };
}

/** Connects by itself, now and after every loss, once a second at most. Nothing is queued, and nothing is sent twice. */
export function openLane(options: ServerOptions, onConnection: OnConnection = () => {}): RedisLane {
  let lastAttemptMs = Number.NEGATIVE_INFINITY;
  const retryStrategy = (): number =>
    Math.max(0, lastAttemptMs + RECONNECT_INTERVAL_MS - performance.now()) + Math.random() * RECONNECT_JITTER_MS;
  const client = new Redis({ ...options, ...SETTINGS, retryStrategy });
  client.on('connecting', () => {
    lastAttemptMs = performance.now();
  });
  client.on('ready', () => onConnection('ready'));
  client.on('error', (error: Error) => onConnection('lost', new StoreUnavailable('no connection', error)));
  client.on('close', () => onConnection('lost'));
  return { client, inFlight: 0 };
}

import { withDeadline } from '@tollgate/service-kit/deadline';
import type { RedisServer } from '@tollgate/service-kit/redis-settings';
import { Redis } from 'ioredis';
import { addressOf, clientOptions, type ServerOptions } from './redis-client.js';
import { hostOf, mastersBySlot, type NodeName } from './slot-map.js';

/** What one server says of itself; undefined where it does not tell. */
export interface RedisFacts {
  version: string | undefined;
  maxmemoryPolicy: string | undefined;
  role: string | undefined;
  /** Whether it writes its data to disk: each write, now and then, or never. */
  persistence: 'append-only' | 'snapshots' | 'none' | undefined;
}

export interface ClusterFacts {
  state: string | undefined;
  /** Slots whose master answers, of 16,384. */
  slotsServed: number;
}

/** A node of a cluster that was asked in vain. */
export interface Unanswered {
  problem: string;
}

/** The masters that count, by name where there is more than one; `cluster` where it is one. */
export interface RedisSurvey {
  masters: ReadonlyMap<string, RedisFacts | Unanswered>;
  cluster?: ClusterFacts;
}

const DEADLINE_MS = 3_000;

/** Asks Redis once what it is. Throws, in words without the password, where it does not answer within three seconds. */
export async function surveyRedis(server: RedisServer): Promise<RedisSurvey> {
  const address = addressOf(server);
  const options = clientOptions(server, address);
  if (address.kind !== 'cluster') return { masters: new Map([['', await asked(options, factsOf)]]) };
  const map = await firstThatAnswers(address.hosts.map((host) => () => asked({ ...options, ...host }, clusterOf)));
  const masters = new Map<string, RedisFacts | Unanswered>();
  for (const node of map.masters) {
    const facts = asked({ ...options, ...hostOf(node) }, factsOf);
    masters.set(node, await facts.catch((error: Error) => ({ problem: error.message })));
  }
  return { masters, cluster: map.facts };
}

async function factsOf(redis: Redis): Promise<RedisFacts> {
  const info = await redis.info();
  return {
    version: infoField(info, 'redis_version'),
    maxmemoryPolicy: infoField(info, 'maxmemory_policy'),
    role: infoField(info, 'role'),
    persistence: infoField(info, 'aof_enabled') === '1' ? 'append-only' : await snapshotsOf(redis),
  };
}

/** A user of managed Redis may often not read its settings. */
async function snapshotsOf(redis: Redis): Promise<RedisFacts['persistence']> {
  const reply = await redis.config('GET', 'save').catch(() => undefined);
  if (!Array.isArray(reply)) return undefined;
  return reply[1] === '' ? 'none' : 'snapshots';
}

async function clusterOf(redis: Redis): Promise<{ masters: ReadonlySet<NodeName>; facts: ClusterFacts }> {
  const info = await redis.cluster('INFO');
  const bySlot = mastersBySlot(await redis.cluster('SLOTS'), redis.options.host ?? '');
  const slotsServed = Number(infoField(info, 'cluster_slots_ok') ?? 0);
  return {
    masters: new Set(bySlot.filter((master) => master !== undefined)),
    facts: { state: infoField(info, 'cluster_state'), slotsServed },
  };
}

async function firstThatAnswers<Value>(tries: readonly (() => Promise<Value>)[]): Promise<Value> {
  let last: unknown;
  for (const attempt of tries) {
    try {
      return await attempt();
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

async function asked<Value>(options: ServerOptions, question: (redis: Redis) => Promise<Value>): Promise<Value> {
  const redis = new Redis({
    ...options,
    lazyConnect: true,
    retryStrategy: () => null,
    sentinelRetryStrategy: () => null,
    maxRetriesPerRequest: 0,
    // It asks by INFO itself, and with a user who may not, it would never be ready.
    enableReadyCheck: false,
    disableClientInfo: true,
    connectTimeout: DEADLINE_MS,
    commandTimeout: DEADLINE_MS,
    sentinelCommandTimeout: DEADLINE_MS,
  });
  // What failed is told here; the calls say only that the connection is closed.
  let cause: NodeJS.ErrnoException | undefined;
  redis.on('error', (error: NodeJS.ErrnoException) => {
    cause ??= error;
  });
  try {
    await withDeadline(redis.connect(), 2 * DEADLINE_MS, 'connecting');
    return await question(redis);
  } catch (error) {
    throw new Error(reason(cause ?? (error as NodeJS.ErrnoException)));
  } finally {
    redis.disconnect();
  }
}

/** A reply of Redis, or the code of a system error; never an address, in which a password stands. */
function reason({ name, code, message }: NodeJS.ErrnoException): string {
  if (name === 'ReplyError') return `it refuses: ${message}`;
  const [isByName, lastError] = /^All sentinels are unreachable.*?disabled\.(?: Last error: (.*))?$/.exec(message) ?? [];
  if (isByName !== undefined)
    return `no Sentinel leads to a master of that name${lastError === undefined ? '' : ` (${lastError})`}`;
  return code ?? (/time|longer/i.test(message) ? `no answer within ${DEADLINE_MS / 1_000} s` : message);
}

function infoField(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
}

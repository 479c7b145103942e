import { Redis, type RedisOptions } from 'ioredis';
import { checkTakeRequest } from '../check-take-request.js';
import type { LimitStore } from '../limit-store.js';
import { StoreUnavailable } from '../store-unavailable.js';
import { resultFrom, scriptArguments, stateKey, TAKE_SCRIPT, TAKE_SCRIPT_SHA } from './take-script.js';

export interface RedisLimitStoreOptions {
  /** `redis://` or, with TLS, `rediss://`; the password in it. Redis 6.2 or later, with `maxmemory-policy noeviction`. */
  url: string;
  /** From call to answer; default 8. Well below the 50 ms that Envoy waits for us. */
  deadlineMs?: number;
  /** Calls that Redis has not answered yet, the late ones too; beyond it a call is refused at once. Default 1,000. */
  maxInFlight?: number;
  /** Connection lost or regained, for the log. Called again for each attempt that fails. */
  onConnection?: (state: 'ready' | 'lost', cause?: Error) => void;
}

const DEADLINE_MS = 8;
const MAX_IN_FLIGHT = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** A connection that owes answers and is silent for so long is replaced: its peer may be gone without a word. */
const SILENCE_MS = 2_000;
const RECONNECT_INTERVAL_MS = 1_000;
const RECONNECT_JITTER_MS = 250;

/**
 * Counts in Redis: one EVALSHA a take. Returns at once and connects by itself, now and after every loss; until then calls
 * are refused without waiting. Every failure is a StoreUnavailable.
 */
export function createRedisLimitStore(options: RedisLimitStoreOptions): LimitStore {
  const { deadlineMs = DEADLINE_MS, maxInFlight = MAX_IN_FLIGHT } = options;
  const redis = connect(options);
  let inFlight = 0;

  /** `retry` answers an error by a second command, or with undefined. */
  const call = <T>(send: () => Promise<T>, retry: (error: unknown) => Promise<T> | undefined = () => undefined): Promise<T> => {
    if (redis.status !== 'ready') return Promise.reject(new StoreUnavailable('no connection'));
    if (inFlight >= maxInFlight) return Promise.reject(new StoreUnavailable(`${inFlight} calls wait for it already`));
    inFlight++;
    return new Promise<T>((resolve, reject) => {
      let isLate = false;
      const expire = (): void => {
        isLate = true;
        reject(new StoreUnavailable(`no answer within ${deadlineMs} ms`));
      };
      // Answers that came while this process was busy lie in the socket, which the event loop reads between a timer and an
      // immediate: without that, a pause of our own would look like a slow store.
      const timer = setTimeout(() => setImmediate(expire), deadlineMs);
      const answered = (value: T): void => {
        inFlight--;
        clearTimeout(timer);
        resolve(value);
      };
      const failed = (error: unknown): void => {
        inFlight--;
        clearTimeout(timer);
        reject(new StoreUnavailable('the call failed', error));
      };
      send().then(answered, (error: unknown) => {
        const second = isLate ? undefined : retry(error); // a late call must not debit on top of being late
        if (second === undefined) failed(error);
        else second.then(answered, failed);
      });
    });
  };

  return {
    async take(request) {
      checkTakeRequest(request);
      const args = scriptArguments(request);
      const reply = await call(
        () => redis.evalsha(TAKE_SCRIPT_SHA, ...args),
        (error) => (isNoScript(error) ? redis.eval(TAKE_SCRIPT, ...args) : undefined), // which also loads it
      );
      return resultFrom(reply);
    },
    async reset(organizationId, limitIds) {
      if (limitIds.length > 0) await call(() => redis.del(limitIds.map((id) => stateKey(organizationId, id))));
    },
    async ping() {
      await call(() => redis.ping());
    },
    async close() {
      redis.disconnect(); // which fails the calls under way
    },
  };
}

const SETTINGS = {
  // A take that got no answer may have happened: sent again it would count twice, and kept in a queue it would be late.
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  enableAutoPipelining: false, // halves the throughput of scripts
  connectTimeout: CONNECT_TIMEOUT_MS,
  socketTimeout: SILENCE_MS,
  disableClientInfo: true,
  // After a failover the old primary answers so; the address then leads to the new one.
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
} satisfies RedisOptions;

function connect({ url, onConnection }: RedisLimitStoreOptions): Redis {
  let lastAttemptMs = Number.NEGATIVE_INFINITY;
  const retryStrategy = (): number =>
    Math.max(0, lastAttemptMs + RECONNECT_INTERVAL_MS - performance.now()) + Math.random() * RECONNECT_JITTER_MS;
  const redis = newClient(url, retryStrategy);
  redis.on('connecting', () => {
    lastAttemptMs = performance.now();
  });
  redis.on('ready', () => onConnection?.('ready'));
  redis.on('error', (error: Error) => onConnection?.('lost', new StoreUnavailable('no connection', error)));
  redis.on('close', () => onConnection?.('lost'));
  return redis;
}

function newClient(url: string, retryStrategy: () => number): Redis {
  try {
    return new Redis(url, { ...SETTINGS, retryStrategy });
  } catch {
    throw new RangeError('the address of Redis is not a URL such as redis://host:6379'); // the cause would show the password
  }
}

const isNoScript = (error: unknown): boolean => error instanceof Error && error.message.startsWith('NOSCRIPT');

import { nextTick } from 'node:process';
import type { RedisServer } from '@tollgate/service-kit/redis-settings';
import { checkTakeRequest } from '../check-take-request.js';
import type { PartedLimitStore } from '../degrading-limit-store.js';
import { StoreUnavailable } from '../store-unavailable.js';
import { openRoute } from './open-route.js';
import { gatherWrites, type OnConnection, type RedisLane } from './redis-client.js';
import { resultFrom, scriptArguments, stateKey, TAKE_SCRIPT, TAKE_SCRIPT_SHA } from './take-script.js';

/** Redis 6.2 or later, with `maxmemory-policy noeviction`: one server, the master that Sentinels name, or a cluster. */
export interface RedisLimitStoreOptions extends RedisServer {
  /** From when a call leaves to its answer; default 8. Well below the 50 ms that Envoy waits for us. */
  deadlineMs?: number;
  /** Calls that one server has not answered yet, the late ones too; beyond it a call is refused at once. Default 1,000. */
  maxInFlight?: number;
  onConnection?: OnConnection;
}

const DEADLINE_MS = 8;
const MAX_IN_FLIGHT = 1_000;

/**
 * Counts in Redis: one EVALSHA a take. Returns at once and connects by itself, now and after every loss; until then calls
 * are refused without waiting. Every failure is a StoreUnavailable. Its parts are the masters of a cluster.
 */
export function createRedisLimitStore(options: RedisLimitStoreOptions): PartedLimitStore {
  const { deadlineMs = DEADLINE_MS, maxInFlight = MAX_IN_FLIGHT } = options;
  const route = openRoute(options, options.onConnection);

  /** `retry` answers an error by a second command, or with undefined. */
  const call = <T>(
    lane: RedisLane | undefined,
    send: (lane: RedisLane) => Promise<T>,
    retry: (error: unknown, lane: RedisLane) => Promise<T> | undefined = () => undefined,
  ): Promise<T> => {
    if (lane === undefined) return Promise.reject(new StoreUnavailable('no connection'));
    if (lane.inFlight >= maxInFlight) return Promise.reject(new StoreUnavailable(`${lane.inFlight} calls wait for it already`));
    lane.inFlight++;
    return new Promise<T>((resolve, reject) => {
      let isLate = false;
      let leftMs = Number.POSITIVE_INFINITY;
      nextTick(() => {
        leftMs = performance.now(); // with the others of its turn: see gatherWrites
      });
      const expire = (): void => {
        isLate = true;
        reject(new StoreUnavailable(`no answer within ${deadlineMs} ms`));
      };
      // A pause of our own must not look like a slow store. One before the call left gives it its whole time from then on;
      // after it, the answer lies in the socket, which the event loop reads between a timer and an immediate.
      const look = (): void => {
        const restMs = leftMs + deadlineMs - performance.now();
        if (restMs >= 1) timer = setTimeout(look, restMs);
        else setImmediate(expire);
      };
      let timer = setTimeout(look, deadlineMs);
      const answered = (value: T): void => {
        lane.inFlight--;
        clearTimeout(timer);
        resolve(value);
      };
      const failed = (error: unknown): void => {
        lane.inFlight--;
        clearTimeout(timer);
        reject(new StoreUnavailable('the call failed', error));
      };
      send(lane).then(answered, (error: unknown) => {
        const second = isLate ? undefined : retry(error, lane); // a late call must not debit on top of being late
        if (second === undefined) failed(error);
        else second.then(answered, failed);
      });
    });
  };

  /** Sends to where the slot has gone, if that is what the error says. */
  const follow = <T>(error: unknown, lane: RedisLane, send: (lane: RedisLane) => Promise<T>): Promise<T> | undefined => {
    const elsewhere = route.redirection(error, lane);
    if (elsewhere === undefined) return undefined;
    if (elsewhere.isAsking) elsewhere.lane.client.asking().catch(() => {}); // the command after it fails too, and tells
    return send(elsewhere.lane);
  };

  return {
    async take(request) {
      checkTakeRequest(request);
      const args = scriptArguments(request);
      const sendWhole = ({ client }: RedisLane): Promise<unknown> => client.eval(TAKE_SCRIPT, ...args); // which also loads it
      const reply = await call(
        route.laneFor(request.organizationId),
        (lane) => {
          gatherWrites(lane);
          return lane.client.evalsha(TAKE_SCRIPT_SHA, ...args);
        },
        (error, lane) => (isNoScript(error) ? sendWhole(lane) : follow(error, lane, sendWhole)),
      );
      return resultFrom(reply);
    },
    async reset(organizationId, limitIds) {
      if (limitIds.length === 0) return;
      const keys = limitIds.map((id) => stateKey(organizationId, id));
      const forget = ({ client }: RedisLane): Promise<number> => client.del(keys);
      await call(route.laneFor(organizationId), forget, (error, lane) => follow(error, lane, forget));
    },
    async ping() {
      const lanes = route.allLanes() ?? [undefined];
      await Promise.all(lanes.map((lane) => call<unknown>(lane, ({ client }) => client.ping())));
    },
    partOf: (organizationId) => route.partOf(organizationId),
    async close() {
      route.close(); // which fails the calls under way
    },
  };
}

const isNoScript = (error: unknown): boolean => error instanceof Error && error.message.startsWith('NOSCRIPT');

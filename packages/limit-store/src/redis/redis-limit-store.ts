import { nextTick } from 'node:process';
import type { RedisServer } from '@tollgate/service-kit/redis-settings';
import { checkTakeRequest } from '../check-take-request.js';
import type { PartedLimitStore } from '../degrading-limit-store.js';
import { StoreUnavailable } from '../store-unavailable.js';
import { openRoute } from './open-route.js';
import { gatherWrites, type OnConnection, type RedisLane } from './redis-client.js';
import { gatherTakes } from './take-batches.js';
import { resultsFrom, scriptArguments, stateKey, TAKE_SCRIPT, TAKE_SCRIPT_SHA } from './take-script.js';

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
 * Counts in Redis: one EVALSHA for the takes of one turn of the event loop. Returns at once and connects by itself, now and
 * after every loss; until then calls are refused without waiting. Every failure is a StoreUnavailable. Its parts are the
 * masters of a cluster.
 */
export function createRedisLimitStore(options: RedisLimitStoreOptions): PartedLimitStore {
  const { deadlineMs = DEADLINE_MS, maxInFlight = MAX_IN_FLIGHT } = options;
  const route = openRoute(options, options.onConnection);

  /** A place among the calls that wait for this server. Throws where there is none. */
  const enter = (lane: RedisLane | undefined): RedisLane => {
    if (lane === undefined) throw new StoreUnavailable('no connection');
    if (lane.inFlight >= maxInFlight) throw new StoreUnavailable(`${lane.inFlight} calls wait for it already`);
    lane.inFlight++;
    return lane;
  };

  /** `retry` answers an error by a second command, or with undefined. Gives `places` back when Redis has answered. */
  const call = <T>(
    lane: RedisLane,
    places: number,
    send: (lane: RedisLane) => Promise<T>,
    retry: (error: unknown, lane: RedisLane) => Promise<T> | undefined = () => undefined,
  ): Promise<T> =>
    new Promise<T>((resolve, reject) => {
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
        lane.inFlight -= places;
        clearTimeout(timer);
        resolve(value);
      };
      const failed = (error: unknown): void => {
        lane.inFlight -= places;
        clearTimeout(timer);
        reject(new StoreUnavailable('the call failed', error));
      };
      send(lane).then(answered, (error: unknown) => {
        const second = isLate ? undefined : retry(error, lane); // a late call must not debit on top of being late
        if (second === undefined) failed(error);
        else second.then(answered, failed);
      });
    });

  /** Sends to where the slot has gone, if that is what the error says. */
  const follow = <T>(error: unknown, lane: RedisLane, send: (lane: RedisLane) => Promise<T>): Promise<T> | undefined => {
    const elsewhere = route.redirection(error, lane);
    if (elsewhere === undefined) return undefined;
    if (elsewhere.isAsking) elsewhere.lane.client.asking().catch(() => {}); // the command after it fails too, and tells
    return send(elsewhere.lane);
  };

  const gather = gatherTakes<RedisLane>(async (lane, takes) => {
    const args = scriptArguments(takes);
    const sendWhole = ({ client }: RedisLane): Promise<unknown> => client.eval(TAKE_SCRIPT, ...args); // which also loads it
    const reply = await call(
      lane,
      takes.length,
      ({ client }) => {
        gatherWrites(lane);
        return client.evalsha(TAKE_SCRIPT_SHA, ...args);
      },
      (error) => (isNoScript(error) ? sendWhole(lane) : follow(error, lane, sendWhole)),
    );
    return resultsFrom(reply, takes);
  });

  return {
    async take(request) {
      checkTakeRequest(request);
      return gather(enter(route.laneFor(request.organizationId)), route.scriptOf(request.organizationId), request);
    },
    async reset(organizationId, limitIds) {
      if (limitIds.length === 0) return;
      const keys = limitIds.map((id) => stateKey(organizationId, id));
      const forget = ({ client }: RedisLane): Promise<number> => client.del(keys);
      await call(enter(route.laneFor(organizationId)), 1, forget, (error, lane) => follow(error, lane, forget));
    },
    async ping() {
      const lanes = route.allLanes() ?? [undefined];
      await Promise.all(lanes.map(async (lane) => call<unknown>(enter(lane), 1, ({ client }) => client.ping())));
    },
    partOf: (organizationId) => route.partOf(organizationId),
    async close() {
      route.close(); // which fails the calls under way
    },
  };
}

const isNoScript = (error: unknown): boolean => error instanceof Error && error.message.startsWith('NOSCRIPT');

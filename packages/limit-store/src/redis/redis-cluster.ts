import { withDeadline } from '@tollgate/service-kit/deadline';
import type { RedisHost } from '@tollgate/service-kit/redis-address';
import { slotOf } from './key-slot.js';
import { type OnConnection, openLane, type RedisLane, type ServerOptions } from './redis-client.js';
import type { RedisRoute } from './redis-route.js';
import { hostOf, mastersBySlot, type NodeName, nodeName, parseRedirection } from './slot-map.js';

const LOOK_INTERVAL_MS = 1_000;
const LOOK_JITTER_MS = 250;
const LOOK_DEADLINE_MS = 1_000;
/** A slot that has moved is told by every take for it: so often at most do we ask anew for it. */
const MOVED_LOOK_INTERVAL_MS = 200;

/**
 * The masters of a cluster, each with one connection of the same kind as a single server has. Where the slots live is asked
 * of any of them: at the start, when one says MOVED, and each second while a master is missing. Not the cluster client of
 * ioredis, which sends a command again when a connection ends (it would count twice), and connects anew for each MOVED.
 */
export function openCluster(seeds: readonly RedisHost[], options: ServerOptions, onConnection?: OnConnection): RedisRoute {
  const lanes = new Map<NodeName, RedisLane>();
  let masters: (NodeName | undefined)[] = [];
  let lastLookMs = Number.NEGATIVE_INFINITY;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;

  const isReady = (lane: RedisLane | undefined): lane is RedisLane => lane?.client.status === 'ready';
  const laneTo = (node: NodeName): RedisLane => {
    const known = lanes.get(node);
    if (known !== undefined) return known;
    const lane = openLane({ ...options, ...hostOf(node) }, (state, cause) => {
      onConnection?.(state, cause);
      if (state === 'ready' && masters.length === 0) void look(); // the first that answers tells where the others are
    });
    lanes.set(node, lane);
    return lane;
  };
  const keepOnly = (wanted: ReadonlySet<NodeName | undefined>): void => {
    for (const [node, lane] of lanes) {
      if (wanted.has(node)) continue;
      lanes.delete(node);
      lane.client.disconnect();
    }
  };
  const look = async (): Promise<void> => {
    const ready = [...lanes.values()].filter(isReady);
    const source = ready[Math.floor(Math.random() * ready.length)];
    if (source === undefined || isClosed) return;
    lastLookMs = performance.now();
    try {
      const reply = await withDeadline(source.client.cluster('SLOTS'), LOOK_DEADLINE_MS, 'CLUSTER SLOTS');
      const found = mastersBySlot(reply, source.client.options.host ?? '');
      if (isClosed || found.length === 0) return;
      masters = found;
      const wanted = new Set(masters);
      wanted.delete(undefined);
      keepOnly(wanted);
      for (const node of wanted) laneTo(node as NodeName);
    } catch {
      // Told by the connection, or by the takes that fail; the next look comes by itself.
    }
  };
  const watch = (): void => {
    const all = [...lanes.values()];
    if (!all.some(isReady)) for (const seed of seeds) laneTo(nodeName(seed));
    const isWhole = masters.length > 0 && all.every(isReady);
    void (isWhole ? Promise.resolve() : look()).finally(() => {
      if (!isClosed) timer = setTimeout(watch, LOOK_INTERVAL_MS + Math.random() * LOOK_JITTER_MS).unref();
    });
  };
  watch();

  const masterOf = (organizationId: string): NodeName | undefined => masters[slotOf(organizationId)];
  return {
    laneFor(organizationId) {
      const lane = lanes.get(masterOf(organizationId) ?? '');
      return isReady(lane) ? lane : undefined;
    },
    redirection(error, lane) {
      const redirection = parseRedirection(error, lane.client.options.host ?? '');
      if (redirection === undefined) return undefined;
      if (redirection.kind === 'MOVED') {
        masters[redirection.slot] = redirection.to;
        if (performance.now() - lastLookMs >= MOVED_LOOK_INTERVAL_MS) void look();
      }
      const target = laneTo(redirection.to);
      return isReady(target) ? { lane: target, isAsking: redirection.kind === 'ASK' } : undefined;
    },
    partOf: (organizationId) => masterOf(organizationId) ?? '',
    scriptOf: (organizationId) => organizationId, // whose keys are in one slot
    allLanes() {
      const all = [...lanes.values()];
      return masters.length > 0 && all.every(isReady) ? all : undefined;
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      keepOnly(new Set());
    },
  };
}

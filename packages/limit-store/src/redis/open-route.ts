import type { RedisServer } from '@tollgate/service-kit/redis-settings';
import { addressOf, clientOptions, type OnConnection, openLane, type RedisLane } from './redis-client.js';
import { openCluster } from './redis-cluster.js';
import type { RedisRoute } from './redis-route.js';

/** Returns at once and connects by itself. Throws a RangeError where the URL is none. */
export function openRoute(server: RedisServer, onConnection?: OnConnection): RedisRoute {
  const address = addressOf(server);
  const options = clientOptions(server, address);
  return address.kind === 'cluster'
    ? openCluster(address.hosts, options, onConnection)
    : oneServer(openLane(options, onConnection));
}

function oneServer(lane: RedisLane): RedisRoute {
  /** One address may stand for several servers: a proxy before them, or the only node of a cluster. */
  let hasSlots = false;
  const ready = (): RedisLane | undefined => (lane.client.status === 'ready' ? lane : undefined);
  return {
    laneFor: ready,
    redirection(error) {
      if (error instanceof Error && error.message.startsWith('CROSSSLOT')) hasSlots = true;
      return undefined;
    },
    partOf: () => '',
    scriptOf: (organizationId) => (hasSlots ? organizationId : ''),
    allLanes: () => (ready() === undefined ? undefined : [lane]),
    close: () => lane.client.disconnect(),
  };
}

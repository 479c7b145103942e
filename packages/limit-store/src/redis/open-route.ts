import type { RedisServer } from '@tollgate/service-kit/redis-settings';
import { addressOf, clientOptions, type OnConnection, openLane, type RedisLane } from './redis-client.js';
import { openCluster } from './redis-cluster.js';
import type { RedisRoute } from './redis-route.js';

/** Returns at once and connects by itself. Throws a RangeError where the URL is none. */
export function openRoute(server: RedisServer, onConnection?: OnConnection): RedisRoute {
  const address = addressOf(server);
  if (address.kind === 'cluster') return openCluster(address.hosts, clientOptions(server, address), onConnection);
  const lane = openLane(clientOptions(server, address), onConnection);
  const ready = (): RedisLane | undefined => (lane.client.status === 'ready' ? lane : undefined);
  return {
    laneFor: ready,
    redirection: () => undefined,
    partOf: () => '',
    allLanes: () => (ready() === undefined ? undefined : [lane]),
    close: () => lane.client.disconnect(),
  };
}

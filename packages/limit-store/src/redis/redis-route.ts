import type { RedisLane } from './redis-client.js';

/** Which connection counts for whom. */
export interface RedisRoute {
  /** Undefined while there is no connection. */
  laneFor(organizationId: string): RedisLane | undefined;
  /** Where an error that this lane answered says to ask; undefined where it says nothing of that kind. */
  redirection(error: unknown, lane: RedisLane): Redirection | undefined;
  /** Names what counts for this organization, so that each part can fail by itself. */
  partOf(organizationId: string): string;
  /** Takes for which this is the same may be decided by one script. */
  scriptOf(organizationId: string): string;
  /** Every connection that takes need; undefined while one of them is missing. */
  allLanes(): readonly RedisLane[] | undefined;
  close(): void;
}

export interface Redirection {
  lane: RedisLane;
  /** The slot is on its way there: ASKING must come before the command. */
  isAsking: boolean;
}

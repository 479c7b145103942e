import type { Fault } from '../fault.js';
import { databaseDown } from './database-down.js';
import { redisKilled } from './redis-killed.js';
import { redisPaused } from './redis-paused.js';

export const FAULTS: readonly Fault[] = [redisKilled, redisPaused, databaseDown];

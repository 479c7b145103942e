import type { Fault } from '../fault.js';
import { databaseDown } from './database-down.js';
import { exactlyOnce } from './exactly-once.js';
import { instanceKilled } from './instance-killed.js';
import { kafkaDown } from './kafka-down.js';
import { redisForgets } from './redis-forgets.js';
import { redisKilled } from './redis-killed.js';
import { redisPaused } from './redis-paused.js';
import { redisSlow } from './redis-slow.js';
import { rollingRestart } from './rolling-restart.js';

export const FAULTS: readonly Fault[] = [
  redisKilled,
  redisPaused,
  redisSlow,
  redisForgets,
  databaseDown,
  kafkaDown,
  ...exactlyOnce,
  rollingRestart,
  instanceKilled,
];

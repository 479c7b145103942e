import type { Fault } from '../fault.js';
import { badRules } from './bad-rules.js';
import { clocksWrong } from './clocks-wrong.js';
import { databaseDown } from './database-down.js';
import { databaseSlow } from './database-slow.js';
import { diskFull } from './disk-full.js';
import { exactlyOnce } from './exactly-once.js';
import { instanceKilled } from './instance-killed.js';
import { kafkaDown } from './kafka-down.js';
import { lateIntoCompressed } from './late-into-compressed.js';
import { migrationUnderLoad } from './migration-under-load.js';
import { poison } from './poison.js';
import { redisCutOff } from './redis-cut-off.js';
import { redisForgets } from './redis-forgets.js';
import { redisKilled } from './redis-killed.js';
import { redisPaused } from './redis-paused.js';
import { redisSlow } from './redis-slow.js';
import { rollingRestart } from './rolling-restart.js';
import { collectorKilled, envoyEnded } from './usage-on-the-way.js';

export const FAULTS: readonly Fault[] = [
  redisKilled,
  redisPaused,
  redisSlow,
  redisForgets,
  databaseDown,
  databaseSlow,
  kafkaDown,
  ...exactlyOnce,
  poison,
  rollingRestart,
  instanceKilled,
  collectorKilled,
  envoyEnded,
  migrationUnderLoad,
  badRules,
  redisCutOff,
  clocksWrong,
  diskFull,
  lateIntoCompressed,
].sort((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)));

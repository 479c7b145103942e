/** What it costs to find one of many cached keys: to hash the text that a caller sent, and to get the record. */
import type { RecordCache } from '@tollgate/cache/record-cache';
import { hashApiKey } from '@tollgate/domain/api-key';
import { shownSpread } from './statistics.js';

export interface KeyLookUps {
  keys: number;
  /** CPU time of each repetition, in microseconds a look-up. */
  hashMicros: number[];
  getMicros: number[];
}

const LOOK_UPS = 200_000;
const REPETITIONS = 7;

/** The key of this number, as the cache knows it. */
export function keyHash(i: number): string {
  return hashApiKey(String(i));
}

/** Looks up keys in an order that no CPU cache foresees. The first repetition does not count. Throws where one is missing. */
export function lookUp(cache: RecordCache<unknown>, keys: number, nowMs: number): KeyLookUps {
  const measured: KeyLookUps = { keys, hashMicros: [], getMicros: [] };
  for (let repetition = -1; repetition < REPETITIONS; repetition++) {
    const secrets = Array.from({ length: LOOK_UPS }, () => String(Math.floor(Math.random() * keys)));
    let hashes: string[] = [];
    const hashMicros = cpuMicros(() => {
      hashes = secrets.map(hashApiKey);
    });
    let found = 0;
    const getMicros = cpuMicros(() => {
      for (const each of hashes) if (cache.get(each, nowMs) !== undefined) found++;
    });
    if (found !== LOOK_UPS) throw new Error(`${found} of ${LOOK_UPS} keys were found`);
    if (repetition < 0) continue;
    measured.hashMicros.push(hashMicros / LOOK_UPS);
    measured.getMicros.push(getMicros / LOOK_UPS);
  }
  return measured;
}

function cpuMicros(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

export function keyLookUpsReport(measured: readonly KeyLookUps[], about: readonly (readonly [string, string])[]): string {
  const rows = measured.map(
    ({ keys, hashMicros, getMicros }) =>
      `| ${keys.toLocaleString('en')} | ${shownSpread(hashMicros, 2)} | ${shownSpread(getMicros, 2)} |`,
  );
  return `${[
    '# What does a look-up of a cached key cost?',
    'CPU time in microseconds, in the process: median of the repetitions (least–most).',
    ['| keys cached | hashing what the caller sent | getting the record |', '|---:|---:|---:|', ...rows].join('\n'),
    [
      `- ${REPETITIONS} repetitions of ${LOOK_UPS.toLocaleString('en')} look-ups of random keys; every one was found`,
      ...about.map(([name, value]) => `- ${name}: ${value}`),
    ].join('\n'),
  ].join('\n\n')}\n`;
}

import { Worker } from 'node:worker_threads';
import { collectGarbage } from '@tollgate/testing/collect-garbage';
import { expect, test } from 'vitest';
import { type Random, randomOf } from './random.js';

/** How many inputs a test makes; `npm run fuzz` asks for a million. */
const RUNS = Number(process.env['FUZZ_RUNS'] || 10_000);
const SEED = Number(process.env['FUZZ_SEED'] || Math.floor(Math.random() * 2 ** 31));
/** Makes the one input again that a failure names. */
const ONLY = process.env['FUZZ_ONLY'];

const HANG_MS = 100;
/** Garbage of the inputs before makes one run long, and not three. */
const HANG_TRIES = 3;
/** A run that never ends can be told by nobody else. */
const STUCK_MS = 20_000;
const WARM_UP = 0.2;
const MAX_GROWTH_BYTES = 24 * 1024 * 1024;
const MS_PER_RUN = 20;

/**
 * Makes inputs and hands them on, each from a chance of its own. Fails where `run` throws, where an input takes longer than
 * 100 ms however often it is tried, and where memory grows from input to input.
 */
export function fuzz(title: string, run: (random: Random) => void | Promise<void>): void {
  test(
    `${title}: whatever comes, no crash, no hang, no leak`,
    async () => {
      console.info(`${title}: ${RUNS} inputs, FUZZ_SEED=${SEED}`);
      const watch = watchdog(title);
      try {
        if (ONLY !== undefined) return await runOne(Number(ONLY));
        const warm = Math.floor(RUNS * WARM_UP);
        let heapBefore = 0;
        for (let index = 0; index < RUNS; index++) {
          if (index === warm) heapBefore = heapBytes();
          watch.beat(index);
          await runOne(index);
        }
        expect(heapBytes() - heapBefore).toBeLessThan(MAX_GROWTH_BYTES);
      } finally {
        await watch.close();
      }
    },
    60_000 + RUNS * MS_PER_RUN,
  );

  async function runOne(index: number): Promise<void> {
    const replay = `FUZZ_SEED=${SEED} FUZZ_ONLY=${index}`;
    let quickestMs = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < HANG_TRIES; tries++) {
      const start = process.cpuUsage();
      try {
        await run(randomOf(SEED, index));
      } catch (cause) {
        throw new Error(`${replay}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
      }
      quickestMs = Math.min(quickestMs, cpuMs(start));
      if (quickestMs <= HANG_MS) return;
    }
    throw new Error(`${replay}: an input takes ${Math.round(quickestMs)} ms`);
  }
}

/** Not by the clock: other processes of a busy machine would count. */
function cpuMs(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** Lives in a thread of its own, since nothing else runs while an input hangs; names the input and ends the process. */
function watchdog(title: string): { beat(index: number): void; close(): Promise<unknown> } {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `const { workerData: { shared, title, seed, pid, stuckMs } } = require('node:worker_threads');
     let last = -1;
     setInterval(() => {
       if (last === shared[0]) {
         require('node:fs').writeSync(2, title + ': stuck, FUZZ_SEED=' + seed + ' FUZZ_ONLY=' + last + '\\n');
         process.kill(pid, 'SIGKILL');
       }
       last = shared[0];
     }, stuckMs);`,
    { eval: true, workerData: { shared, title, seed: SEED, pid: process.pid, stuckMs: STUCK_MS } },
  );
  worker.unref();
  return {
    beat(index) {
      shared[0] = index;
    },
    close: () => worker.terminate(),
  };
}

import { getHeapSpaceStatistics } from 'node:v8';
import { collectGarbage } from './collect-garbage.js';

/**
 * Bytes by which V8's old generation grows while `run` runs: what outlives young collections, and stays until the next major
 * one. Begins with a major collection, after which all that is alive is old. Run it with enough work for many young ones.
 */
export async function oldGenerationGrowth(run: () => void | Promise<void>): Promise<number> {
  collectGarbage();
  const before = oldBytes();
  await run();
  return oldBytes() - before;
}

function oldBytes(): number {
  const old = getHeapSpaceStatistics().filter(({ space_name }) => ['old_space', 'large_object_space'].includes(space_name));
  return old.reduce((sum, { space_used_size }) => sum + space_used_size, 0);
}

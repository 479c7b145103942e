/**
 * Loaded before a service: at SIGUSR2 it collects its garbage, twice as what the first time frees may hold more, and writes what
 * is left into a file of its own in HEAP_FOLDER. The product itself has no such door.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

process.on('SIGUSR2', () => {
  gc();
  gc();
  const file = join(process.env.HEAP_FOLDER ?? '.', `${process.pid}.json`);
  writeFileSync(`${file}.new`, JSON.stringify(process.memoryUsage()));
  renameSync(`${file}.new`, file);
});

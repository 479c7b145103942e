import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { DIST } from './bundle-options.mjs';

/**
 * Runs a program of dist/ in this very process, so that signals and the terminal reach it; builds it first when sources changed.
 * The program sees `args` where it would see its own.
 */
export async function runBuilt(name, args) {
  await build();
  const program = join(DIST, `${name}.js`);
  process.argv = [process.argv[0], program, ...args];
  await import(pathToFileURL(program).href);
}

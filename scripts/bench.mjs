/**
 * `npm run bench -- [--rounds 5] [--seconds 6] [--tcp] [--profile folder]`: see bench/gateway.ts. A name before the options
 * runs another one: `npm run bench -- kafka-away --seconds 30`.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import esbuild from 'esbuild';
import { build } from './build.mjs';
import { bundleOptions, DIST, ROOT } from './bundle-options.mjs';

const PROGRAM = join(DIST, 'bench.js');
const name =
  /^[a-z-]+$/.test(process.argv[2] ?? '') && !process.argv[2].startsWith('-') ? process.argv.splice(2, 1)[0] : 'gateway';

// What is measured is the product as it is built; the bench itself is a program beside it.
await build();
await esbuild.build({
  ...bundleOptions(),
  entryPoints: [join(ROOT, 'bench', `${name}.ts`)],
  outdir: undefined,
  outfile: PROGRAM,
  splitting: false,
  metafile: false,
  write: true,
});
process.setSourceMapsEnabled(true);
await import(pathToFileURL(PROGRAM).href);

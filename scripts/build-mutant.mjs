/**
 * Builds one program of the product with something wrong in it: `node scripts/build-mutant.mjs '<json>'`, where the JSON is
 * `{ program, name, file, from, to }`. Writes dist/mutant-<name>.js: as it is built, but for `from`, which must stand in
 * `file` exactly once, and is `to` there.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import esbuild from 'esbuild';
import { bundleOptions, ROOT } from './bundle-options.mjs';
import { BUNDLES } from './bundles.mjs';

const { program, name, file, from, to } = JSON.parse(process.argv[2] ?? '{}');
let isChanged = false;

await esbuild.build({
  ...bundleOptions(),
  entryPoints: [{ in: join(ROOT, BUNDLES[program]), out: `mutant-${name}` }],
  splitting: false,
  metafile: false,
  write: true,
  plugins: [...bundleOptions().plugins, { name: 'mutant', setup: changeFile }],
});
if (!isChanged) throw new Error(`${program} is not made of ${file}`);

function changeFile(build) {
  build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
    if (path !== join(ROOT, file)) return undefined;
    const text = await readFile(path, 'utf8');
    if (text.split(from).length !== 2) throw new Error(`${file} does not hold this exactly once: ${from}`);
    isChanged = true;
    return { contents: text.replace(from, () => to), loader: 'ts' };
  });
}

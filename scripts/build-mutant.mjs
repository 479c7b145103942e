/**
 * Builds one program of the product with something wrong in it: `node scripts/build-mutant.mjs '<json>'`, where the JSON is
 * `{ program, name, changes: [{ file, from, to }] }`. Writes dist/mutant-<name>.js: as it is built, but for each `from`, which
 * must stand in its file exactly once, and is `to` there.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import esbuild from 'esbuild';
import { bundleOptions, ROOT } from './bundle-options.mjs';
import { BUNDLES } from './bundles.mjs';

const { program, name, changes } = JSON.parse(process.argv[2] ?? '{}');
const changed = new Set();

await esbuild.build({
  ...bundleOptions(),
  entryPoints: [{ in: join(ROOT, BUNDLES[program]), out: `mutant-${name}` }],
  splitting: false,
  metafile: false,
  write: true,
  plugins: [...bundleOptions().plugins, { name: 'mutant', setup: changeFiles }],
});
const unmet = changes.filter(({ file }) => !changed.has(file));
if (unmet.length > 0) throw new Error(`${program} is not made of ${unmet.map(({ file }) => file)}`);

function changeFiles(build) {
  build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
    const own = changes.filter(({ file }) => path === join(ROOT, file));
    if (own.length === 0) return undefined;
    let contents = await readFile(path, 'utf8');
    for (const { file, from, to } of own) {
      if (contents.split(from).length !== 2) throw new Error(`${file} does not hold this exactly once: ${from}`);
      contents = contents.replace(from, () => to);
      changed.add(file);
    }
    return { contents, loader: 'ts' };
  });
}

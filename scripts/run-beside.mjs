import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import esbuild from 'esbuild';
import { build } from './build.mjs';
import { bundleOptions, DIST, ROOT } from './bundle-options.mjs';

/** Builds the product as it is, and a program that tries it out beside it in dist/; runs that in this very process. */
export async function runBeside(name, file) {
  await build();
  await esbuild.build({
    ...bundleOptions(),
    entryPoints: [{ in: join(ROOT, file), out: name }],
    splitting: false,
    metafile: false,
    write: true,
    plugins: [...bundleOptions().plugins, { name: 'places', setup: keepPlaces }],
  });
  process.setSourceMapsEnabled(true);
  await import(pathToFileURL(join(DIST, `${name}.js`)).href);
}

/** What a source file finds by its own place is where it is, not where the bundle is. */
function keepPlaces(build) {
  build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
    const text = await readFile(path, 'utf8');
    return { contents: text.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)), loader: 'ts' };
  });
}

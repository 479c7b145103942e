import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUNDLES } from './bundles.mjs';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const DIST = join(ROOT, 'dist');

/** @returns {import('esbuild').BuildOptions} One file for each program, with what they share in chunks. */
export function bundleOptions() {
  return {
    absWorkingDir: ROOT,
    entryPoints: Object.entries(BUNDLES).map(([name, file]) => ({ in: file, out: name })),
    outdir: DIST,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    splitting: true,
    sourcemap: 'linked',
    sourcesContent: false,
    // Packages that offer a build "for bundlers" are not bundled, so Node's own choice is the right one.
    conditions: [],
    metafile: true,
    write: false,
    logLevel: 'warning',
    plugins: [packagesStayOutside],
  };
}

/** Packages of npm that are part of the bundle all the same, with all they import: see docs/decisions/0035. */
const BUNDLED = ['yargs'];

/**
 * Our own packages are part of the bundle, those of npm stay in node_modules. One that npm put into a workspace's own
 * node_modules (another version than the root's) is named by its file: from dist/ its bare name would find the wrong one.
 */
const packagesStayOutside = {
  name: 'packages-stay-outside',
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
      if (pluginData === packagesStayOutside || kind === 'entry-point' || path.startsWith('@tollgate/')) return undefined;
      if (BUNDLED.includes(path) || importer.includes(`${sep}node_modules${sep}`)) return undefined;
      if (path.startsWith('node:')) return { path, external: true };
      const found = await build.resolve(path, { importer, resolveDir, kind, pluginData: packagesStayOutside });
      if (found.errors.length > 0 || !found.path.startsWith(sep)) return { path, external: true, errors: found.errors };
      if (found.path.startsWith(join(ROOT, 'node_modules') + sep)) return { path, external: true };
      return { path: relative(DIST, found.path).split(sep).join('/'), external: true };
    });
  },
};

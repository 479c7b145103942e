/** Builds dist/, unless nothing changed since the last time: `node scripts/build.mjs [--force]`. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bundleOptions, DIST, ROOT } from './bundle-options.mjs';
import { BUNDLES } from './bundles.mjs';

const STAMP = join(DIST, 'stamp.json');
/** What `tollgate --help` prints, made once for each build: see docs/decisions/0035. */
export const HELP = join(DIST, 'help.txt');
const HELP_DEADLINE_MS = 30_000;
/** A program that runs on an older build may still load one of its chunks. */
const KEEP_OLD_CHUNKS_MS = 24 * 3_600_000;

/** Returns 'fresh' when dist/ was up to date already, else 'built'. */
export async function build({ force = false } = {}) {
  if (!force && (await isFresh())) return 'fresh';
  // Loaded only when it is needed: a start from a finished build is quick, and works without development packages.
  const esbuild = await import('esbuild');
  const result = await esbuild.build(bundleOptions());
  await writeBundles(result);
  return 'built';
}

/** Writes what esbuild made, the Lua scripts and the help beside it, and the stamp that says what all of it was made from. */
export async function writeBundles({ outputFiles, metafile }) {
  const before = await filesInDist();
  const scripts = await luaScripts();
  await mkdir(DIST, { recursive: true });
  // Chunks first: a program that starts meanwhile sees the old program or the whole new one.
  const isProgram = ({ path }) => basename(path, '.js') in BUNDLES;
  for (const file of outputFiles.filter((each) => !isProgram(each))) await replaceFile(file.path, file.contents);
  for (const script of scripts) await replaceFile(join(DIST, basename(script)), await readFile(join(ROOT, script)));
  for (const file of outputFiles.filter(isProgram)) await replaceFile(file.path, file.contents);
  await writeHelp();
  const sources = [...Object.keys(metafile.inputs), ...scripts, ...buildScripts()];
  await replaceFile(STAMP, JSON.stringify(fingerprints(sources)));
  const written = new Set([
    ...outputFiles.map(({ path }) => path),
    ...scripts.map((script) => join(DIST, basename(script))),
    HELP,
    STAMP,
  ]);
  await removeOld(before.filter((file) => !written.has(file)));
}

/** A CLI that does not start yet, as may happen while somebody works on it, stops no build: it will tell by itself. */
async function writeHelp() {
  await rm(HELP, { force: true });
  const args = [join(DIST, 'cli.js'), '--help'];
  const made = await promisify(execFile)(process.execPath, args, { timeout: HELP_DEADLINE_MS }).catch(() => undefined);
  if (made !== undefined) await replaceFile(HELP, made.stdout);
}

async function isFresh() {
  const stamp = JSON.parse(await readFile(STAMP, 'utf8').catch(() => '{}'));
  const now = fingerprints(Object.keys(stamp));
  const isComplete = Object.values(BUNDLES).every((file) => file in stamp);
  return isComplete && Object.entries(stamp).every(([file, print]) => now[file] === print);
}

/**
 * Time and size of each file; a file that is gone has none, and so differs from when it was there. One after the other: each start
 * waits for it, and some hundred questions to the disk's cache take less time than some hundred promises.
 */
function fingerprints(files) {
  const print = (file) => {
    const found = statSync(join(ROOT, file), { throwIfNoEntry: false });
    return [file, found && `${found.mtimeMs}/${found.size}`];
  };
  return Object.fromEntries(files.map(print));
}

/** Read at run time from beside the program, as they are read from beside the source file in tests. */
async function luaScripts() {
  const files = await readdir(join(ROOT, 'packages'), { recursive: true });
  const scripts = files.filter((file) => file.endsWith('.lua') && file.includes('/src/') && !file.includes('node_modules'));
  if (new Set(scripts.map((file) => basename(file))).size < scripts.length)
    throw new Error(`Two scripts of one name: ${scripts}`);
  return scripts.map((file) => join('packages', file));
}

function buildScripts() {
  return ['scripts/build.mjs', 'scripts/bundles.mjs', 'scripts/bundle-options.mjs', 'package-lock.json'];
}

async function replaceFile(path, contents) {
  const aside = `${path}.${randomUUID()}`;
  await writeFile(aside, contents);
  await rename(aside, path);
}

async function filesInDist() {
  return (await readdir(DIST).catch(() => [])).map((file) => join(DIST, file));
}

async function removeOld(files) {
  for (const file of files) {
    // Another start that builds at the same moment has its own files here, and takes them away again.
    const found = await stat(file).catch(() => undefined);
    const isOld = found !== undefined && Date.now() - found.mtimeMs > KEEP_OLD_CHUNKS_MS;
    if (isOld || basename(file, '.js') in BUNDLES) await rm(file, { force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const startedMs = Date.now();
  const outcome = await build({ force: process.argv.includes('--force') });
  console.log(`${relative(process.cwd(), DIST) || '.'}: ${outcome} in ${Date.now() - startedMs} ms`);
}

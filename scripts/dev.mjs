/**
 * `npm run dev`: the whole gateway, each service in a process of its own; a saved file restarts the services it is part of.
 * Envoy, PostgreSQL and the demo upstream are run by `standalone --infrastructure`, and stay up all the time. Its first line on
 * stdout is JSON: `{ services: { <name>: { <setting>: <value> } } }`, the environment of each service to be run here.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import esbuild from 'esbuild';
import { writeBundles } from './build.mjs';
import { bundleOptions, DIST, ROOT } from './bundle-options.mjs';

const ASK_DEADLINE_MS = 1_500;
const running = new Map();
let bundles = new Map();
let settings;
let restarts = Promise.resolve();

const context = await esbuild.context({
  ...bundleOptions(),
  plugins: [...bundleOptions().plugins, { name: 'restart', setup: onEachBuild }],
});
await context.rebuild();
const infrastructure = spawn(
  process.execPath,
  ['--enable-source-maps', join(DIST, 'standalone.js'), '--infrastructure', ...process.argv.slice(2)],
  {
    cwd: ROOT,
    stdio: ['inherit', 'pipe', 'inherit'],
    detached: true,
  },
);
const firstLine = await firstLineOf(infrastructure);
if (firstLine === undefined) process.exit(infrastructure.exitCode ?? 1);
settings = JSON.parse(firstLine).services;
for (const name of Object.keys(settings)) startService(name);
await context.watch();
let isStopping = false;
// Not "once": the second of two would end this process, and leave the others.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stopAll);
infrastructure.once('exit', stopAll);

/** Passes on every later line; undefined when the program ends without any. */
function firstLineOf(child) {
  return new Promise((resolve) => {
    let isFirst = true;
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!isFirst) console.log(line);
      isFirst = false;
      resolve(line);
    });
    child.once('exit', () => resolve(undefined));
  });
}

function onEachBuild(build) {
  build.onEnd(async (result) => {
    if (result.errors.length > 0) return; // esbuild has printed them; what runs goes on running.
    await writeBundles(result);
    const before = bundles;
    bundles = new Map(result.outputFiles.map(({ path, hash }) => [path, hash]));
    const changed = Object.keys(settings ?? {}).filter((name) => isOther(before, join(DIST, `${name}.js`)));
    restarts = restarts.then(() => Promise.all(changed.map(restartService)));
  });
}

/** A changed chunk has a changed name, which changes every program that imports it: the program's own hash tells all. */
function isOther(before, path) {
  return before.get(path) !== bundles.get(path);
}

function startService(name) {
  const child = spawn(process.execPath, ['--enable-source-maps', join(DIST, `${name}.js`)], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...settings[name] },
    detached: true,
  });
  running.set(name, child);
}

async function restartService(name) {
  const startedMs = Date.now();
  await stop(running.get(name));
  startService(name);
  console.error(`${name} restarted in ${Date.now() - startedMs} ms`);
}

async function stop(child) {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  const impatience = setTimeout(() => child.kill('SIGKILL'), ASK_DEADLINE_MS);
  await exit;
  clearTimeout(impatience);
}

/** Envoy first: it hands its last log entries to a collector that still runs. */
async function stopAll() {
  if (isStopping) return;
  isStopping = true;
  await context.dispose();
  if (infrastructure.exitCode === null && infrastructure.signalCode === null) {
    infrastructure.kill('SIGTERM');
    await once(infrastructure, 'exit');
  }
  await Promise.all([...running.values()].map(stop));
  process.exit();
}

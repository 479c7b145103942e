// Makes protos/gen anew from protos/**/*.proto. With --check it writes nothing and exits 1 naming the files that differ.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const committed = join(root, 'protos', 'gen');

const folder = mkdtempSync(join(tmpdir(), 'tollgate-protos-'));
try {
  const fresh = join(folder, 'gen');
  generate(fresh, join(folder, 'cache'));
  if (process.argv.includes('--check')) check(fresh);
  else replace(fresh);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Buf's launcher and the ts-proto plugin are both JavaScript, started without a shell and without the network. */
function generate(output, cache) {
  const buf = createRequire(import.meta.url).resolve('@bufbuild/buf/bin/buf');
  execFileSync(process.execPath, [buf, 'generate', 'protos', '--template', 'protos/buf.gen.yaml', '--output', output], {
    cwd: root,
    env: { ...process.env, BUF_CACHE_DIR: cache },
    stdio: 'inherit',
  });
}

function check(fresh) {
  const wanted = textsIn(fresh);
  const found = textsIn(committed);
  const names = new Set([...wanted.keys(), ...found.keys()]);
  const stale = [...names].filter((name) => wanted.get(name) !== found.get(name));
  if (stale.length === 0) return;
  const lines = stale.map((name) => `  protos/gen/${name} ${differenceOf(wanted.has(name), found.has(name))}`);
  console.error(`protos/gen is not what the .proto files say; run "npm run protos":\n${lines.join('\n')}`);
  process.exitCode = 1;
}

function differenceOf(isWanted, isFound) {
  if (!isFound) return 'is missing';
  return isWanted ? 'differs' : 'has no .proto file';
}

/** Old files go first, or those of a deleted .proto would stay. */
function replace(fresh) {
  rmSync(committed, { recursive: true, force: true });
  cpSync(fresh, committed, { recursive: true });
}

/** The text of each generated file in a folder, by its path with `/`; none where there is no folder. */
function textsIn(parent) {
  const texts = new Map();
  for (const entry of entriesOf(parent)) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    texts.set(relative(parent, path).split(sep).join('/'), readFileSync(path, 'utf8').replaceAll('\r\n', '\n'));
  }
  return texts;
}

function entriesOf(parent) {
  try {
    return readdirSync(parent, { recursive: true, withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

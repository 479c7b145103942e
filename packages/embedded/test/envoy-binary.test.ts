import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findEnvoy, usableVersion } from '@tollgate/embedded/envoy-binary';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const log = () => {};
let root: string;
let programs: string;
let cacheFolder: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tollgate-find-envoy-'));
  programs = join(root, 'bin');
  cacheFolder = join(root, 'cache');
  await mkdir(programs);
  // The fake programs are shell scripts, and need these and nothing else.
  for (const name of ['mkdir', 'cat', 'chmod']) await symlink(`/bin/${name}`, join(programs, name));
  vi.stubEnv('PATH', programs);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true, force: true });
});

async function program(path: string, ...lines: string[]): Promise<string> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, ['#!/bin/sh', ...lines, ''].join('\n'));
  await chmod(path, 0o755);
  return path;
}

const envoyOf = (version: string) => `echo "envoy  version: 9e55/${version}/Clean/RELEASE/BoringSSL"`;

/** A pip that "installs" an Envoy of this version into what follows --target. */
async function fakePip(name: string, version: string): Promise<void> {
  await program(
    join(programs, name),
    'if [ "$1" = --version ]; then echo pip 1; exit 0; fi',
    'while [ "$1" != --target ]; do shift; done',
    'mkdir -p "$2/envoy/_bin"',
    `printf '#!/bin/sh\\n%s\\n' '${envoyOf(version)}' > "$2/envoy/_bin/envoy"`,
    'chmod +x "$2/envoy/_bin/envoy"',
  );
}

test('a given path is taken, and refused by name when it is no usable Envoy', async () => {
  const good = await program(join(root, 'good'), envoyOf('1.41.2'));
  expect(await findEnvoy({ envoyPath: good, cacheFolder, log })).toEqual({ path: good, version: '1.41.2', source: 'given' });
  const old = await program(join(root, 'old'), envoyOf('1.38.0'));
  await expect(findEnvoy({ envoyPath: old, cacheFolder, log })).rejects.toThrow(`ENVOY_PATH: ${old}`);
});

test('an Envoy on the PATH is used when it is new enough', async () => {
  const path = await program(join(programs, 'envoy'), envoyOf('1.40.0'));
  expect(await findEnvoy({ cacheFolder, log })).toEqual({ path, version: '1.40.0', source: 'found' });
});

test('with an Envoy that is too old, a new one is downloaded once and then kept', async () => {
  await program(join(programs, 'envoy'), envoyOf('1.31.0'));
  await fakePip('pip3', '1.40.0');
  const first = await findEnvoy({ cacheFolder, log });
  expect(first.source).toBe('installed');
  expect(await findEnvoy({ cacheFolder, log })).toEqual({ ...first, source: 'cached' });
});

test('two downloads at once both end with a working Envoy and leave nothing else', async () => {
  await fakePip('pip', '1.40.0');
  const [one, other] = await Promise.all([findEnvoy({ cacheFolder, log }), findEnvoy({ cacheFolder, log })]);
  expect(one.path).toBe(other.path);
  expect(await readdir(cacheFolder)).toEqual(['envoy-1.40.0']);
});

test('a download that was cut off is replaced', async () => {
  await mkdir(join(cacheFolder, 'envoy-1.40.0', 'envoy'), { recursive: true });
  await fakePip('pip', '1.40.0');
  expect((await findEnvoy({ cacheFolder, log })).source).toBe('installed');
});

test('without any way to get one, the error says what to do', async () => {
  await expect(findEnvoy({ cacheFolder, log })).rejects.toThrow(/python3 -m pip: not there[\s\S]*ENVOY_PATH/);
});

test.each([
  ['envoy  version: 9e5580/1.40.0/Clean/RELEASE/BoringSSL', '1.40.0'],
  ['envoy  version: 9e5580/1.41.0-dev/Modified/DEBUG/BoringSSL', '1.41.0'],
  ['envoy  version: 9e5580/2.0.0/Clean/RELEASE/BoringSSL', '2.0.0'],
  ['envoy  version: 9e5580/1.39.9/Clean/RELEASE/BoringSSL', undefined],
  ['command not found', undefined],
])('%s is read as %s', (text, version) => {
  expect(usableVersion(text)).toBe(version);
});

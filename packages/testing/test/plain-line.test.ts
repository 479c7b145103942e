import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const TEST_COMMAND = fileURLToPath(new URL('../../../scripts/test.mjs', import.meta.url));

type Run = { lastLine: string; exitCode: number };

/** Runs `npm test`'s script on a folder of its own, where each file holds the given text. */
async function runTests(files: Record<string, string>, args: string[] = []): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-plain-line-'));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const { VITEST: _, ...env } = process.env;
    return await new Promise((resolve) => {
      execFile(
        process.execPath,
        [TEST_COMMAND, '--root', folder, '--globals', ...args],
        { env, timeout: 60_000 },
        (error, stdout) => {
          resolve({ lastLine: stdout.trimEnd().split('\n').at(-1) ?? '', exitCode: error === null ? 0 : Number(error.code) });
        },
      );
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('the last line counts what passed, failed and was skipped', async () => {
  const files = {
    'a.test.js': "test('good', () => {}); test('bad', () => { throw new Error('no'); });",
    'b.test.js': "test('good', () => {}); test.skip('later', () => {});",
  };
  expect(await runTests(files)).toEqual({ lastLine: '2 passed, 1 failed, 1 skipped', exitCode: 1 });
});

test('a run in which everything passed ends with 0', async () => {
  expect(await runTests({ 'a.test.js': "test('good', () => {});" })).toEqual({ lastLine: '1 passed, 0 failed', exitCode: 0 });
});

test('a file that cannot be loaded counts as failed', async () => {
  const files = { 'a.test.js': "test('good', () => {});", 'b.test.js': "import './absent.js';" };
  expect(await runTests(files)).toEqual({ lastLine: '1 passed, 1 failed', exitCode: 1 });
});

test('a suite whose set-up throws counts as failed, not only as skipped', async () => {
  const files = {
    'a.test.js':
      "test('good', () => {}); describe('s', () => { beforeAll(() => { throw new Error('no'); }); test('x', () => {}); });",
  };
  expect(await runTests(files)).toEqual({ lastLine: '1 passed, 1 failed, 1 skipped', exitCode: 1 });
});

test('an error outside every test counts as failed', async () => {
  const files = {
    'a.test.js': "test('good', async () => { Promise.reject(new Error('lost')); await new Promise(setImmediate); });",
  };
  expect(await runTests(files)).toEqual({ lastLine: '1 passed, 1 failed', exitCode: 1 });
});

test('a run without a single test is a failure', async () => {
  expect(await runTests({})).toEqual({ lastLine: '0 passed, 1 failed', exitCode: 1 });
  const filtered = await runTests({ 'a.test.js': "test('good', () => {});" }, ['-t', 'nothing like it']);
  expect(filtered).toEqual({ lastLine: '0 passed, 1 failed, 1 skipped', exitCode: 1 });
});

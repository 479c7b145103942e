import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { expect, test } from 'vitest';
import { PROJECT } from './architecture/project-files.js';

const DEADLINE_MS = 120_000;

/** Runs a tool of node_modules in the project's folder; resolves to its output where it failed, to '' where it did not. */
function complaintsOf(script: string, ...args: string[]): Promise<string> {
  const options = { cwd: PROJECT, timeout: DEADLINE_MS, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((resolve) => {
    execFile(execPath, [join(PROJECT, 'node_modules', script), ...args], options, (error, stdout, stderr) => {
      resolve(error === null ? '' : `${stdout}${stderr}` || error.message);
    });
  });
}

test('every project compiles, the tests too', { timeout: DEADLINE_MS + 10_000 }, async () => {
  const complaints = await complaintsOf('typescript/bin/tsc', '-b', '--pretty', 'false');
  if (complaints !== '') expect.fail(`tsc -b:\n${complaints}`);
});

test('everything is formatted, and the lint finds nothing', { timeout: DEADLINE_MS + 10_000 }, async () => {
  const complaints = await complaintsOf('@biomejs/biome/bin/biome', 'ci', '--colors=off', '--max-diagnostics=100', '.');
  if (complaints !== '') expect.fail(`biome ci (npm run format repairs most of it):\n${complaints}`);
});

import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { type HostProcess, runService } from '../src/lifecycle.js';
import { hasCanary } from './canaries.js';

/** After which a second signal is no echo of the first. */
const LATER_MS = 300;
const folder = mkdtempSync(join(tmpdir(), 'tollgate-lifecycle-'));
const program = join(folder, 'program.cjs');

beforeAll(async () => {
  const entryPoints = [fileURLToPath(new URL('./lifecycle.program.ts', import.meta.url))];
  await build({ entryPoints, outfile: program, bundle: true, platform: 'node', format: 'cjs', target: 'node20' });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function run(what: string) {
  const child = spawn(process.execPath, [program, what], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const out = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    out.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    out.stderr += chunk;
  });
  const lines = () =>
    out.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const says = (msg: string) => vi.waitFor(() => expect(lines().map((line) => line['msg'])).toContain(msg), { timeout: 20_000 });
  const exited = once(child, 'close').then(([code]) => code as number);
  return { child, out, lines, says, exited };
}

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  'a service says where it listens, and %s closes it with exit code 0',
  async (signal) => {
    const { child, lines, says, exited, out } = run('serve');
    await says('ready');
    expect(lines()[0]).toMatchObject({ service: 'test', msg: 'ready', address: '127.0.0.1:1', admin_address: '127.0.0.1:2' });
    child.kill(signal);
    expect(await exited).toBe(0);
    expect(lines().map((line) => line['msg'])).toEqual(['ready', 'closing', 'closed']);
    expect(out.stderr).toBe('');
  },
);

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
  ['SIGHUP', 129],
] as const)('a second %s exits at once', async (signal, code) => {
  const { child, says, exited } = run('close-hangs');
  await says('ready');
  child.kill('SIGTERM');
  await says('closing');
  await delay(LATER_MS);
  child.kill(signal);
  expect(await exited).toBe(code);
});

test('a signal that comes twice at once, from a terminal and by way of npm, is one', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const exit = vi.fn();
  const host = Object.assign(new EventEmitter(), { exit, stdout: new PassThrough(), stderr: new PassThrough() });
  void runService(host as unknown as HostProcess, 'test', async () => ({ close: () => new Promise(() => {}) }));
  host.emit('SIGINT');
  vi.advanceTimersByTime(249);
  host.emit('SIGINT');
  expect(exit).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  host.emit('SIGINT');
  expect(exit).toHaveBeenCalledWith(130);
});

test('bad settings are told whole on stderr, for a person, with exit code 78', async () => {
  const { exited, out } = run('bad-settings');
  expect(await exited).toBe(78);
  expect(out).toEqual({ stdout: '', stderr: 'test: Bad settings:\n  A is required.\n  B must be true or false.\n' });
});

test.each([
  ['no-database', 69, 'start failed'],
  ['start-fails', 1, 'start failed'],
  ['rejects-later', 1, 'an error that nobody handles'],
  ['throws-later', 1, 'an error that nobody handles'],
])('%s ends with exit code %i and one line that says why, without secrets', async (what, code, msg) => {
  const { exited, lines, out } = run(what);
  expect(await exited).toBe(code);
  expect(lines().filter((line) => line['msg'] === msg)).toMatchObject([{ level: 'fatal', err: { stack: expect.any(String) } }]);
  expect(hasCanary(out.stdout + out.stderr)).toBe(false);
});

test('a service that cannot close well says so and exits with 1', async () => {
  const { child, says, exited } = run('close-fails');
  await says('ready');
  child.kill('SIGTERM');
  expect(await exited).toBe(1);
  await says('closing failed');
});

test('a service that does not close in ten seconds is ended', async () => {
  const { child, says, exited } = run('close-hangs');
  await says('ready');
  child.kill('SIGTERM');
  expect(await exited).toBe(1);
  await says('closing failed');
});

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { openFileEventLogWriter } from '../../src/file/file-event-log-writer.js';
import { anEvent } from '../an-event.js';
import { aFolder, readLog } from './a-log-folder.js';

let script: string;

beforeAll(async () => {
  const here = dirname(fileURLToPath(import.meta.url));
  const folder = await mkdtemp(join(tmpdir(), 'event-log-child-'));
  script = join(folder, 'appending-child.mjs');
  await build({
    entryPoints: [join(here, 'appending-child.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile: script,
  });
  return () => rm(folder, { recursive: true, force: true });
});

/** Runs the child until it has acknowledged `killAfter` appends or ends by itself; returns all that it acknowledged. */
async function runChild(folder: string, options: { mode?: string; first?: number; killAfter?: number; maxFileBlocks?: number }) {
  const { mode = 'real', first = 0, killAfter = Number.POSITIVE_INFINITY, maxFileBlocks } = options;
  const node = [script, folder, mode, String(first)];
  const child: ChildProcess =
    maxFileBlocks === undefined
      ? spawn(process.execPath, node, { stdio: ['ignore', 'pipe', 'inherit'] })
      : spawn('/bin/sh', ['-c', `ulimit -f ${maxFileBlocks}; exec "$0" "$@"`, process.execPath, ...node], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
  onTestFinished(() => void child.kill('SIGKILL'));
  const acknowledged: number[] = [];
  const failures: string[] = [];
  if (child.stdout === null) throw new Error('the child has no output');
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('failed ')) failures.push(line.slice('failed '.length));
    else acknowledged.push(Number(line));
    if (acknowledged.length === killAfter) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return { acknowledged, failures };
}

const LAST = 1_000_000;

/** Opens the log again, appends a last event, and returns how often each number is in the log. */
async function countsIn(folder: string): Promise<Map<number, number>> {
  const writer = await openFileEventLogWriter({ folder });
  await writer.append([anEvent(LAST)]);
  await writer.close();
  const counts = new Map<number, number>();
  const records = await readLog(folder, (seen) => seen.at(-1)?.value.includes(`request ${LAST}"`) ?? false);
  for (const { value } of records) {
    const number = Number.parseInt(JSON.parse(value.toString()).event_id, 16);
    counts.set(number, (counts.get(number) ?? 0) + 1);
  }
  return counts;
}

const lostOf = (acknowledged: readonly number[], counts: ReadonlyMap<number, number>) =>
  acknowledged.filter((number) => !counts.has(number));

test('what a killed process had acknowledged is in the log, once, over several kills', async () => {
  const folder = await aFolder();
  const acknowledged: number[] = [];
  for (let kill = 0; kill < 4; kill += 1) {
    const run = await runChild(folder, { first: kill * 100_000, killAfter: 200 + 137 * kill });
    acknowledged.push(...run.acknowledged);
  }
  const counts = await countsIn(folder);
  expect(acknowledged.length).toBeGreaterThan(1000);
  expect(lostOf(acknowledged, counts)).toEqual([]);
  expect([...counts.values()].every((count) => count === 1)).toBe(true);
});

test('the count above notices a log that acknowledges too early', async () => {
  const folder = await aFolder();
  const { acknowledged } = await runChild(folder, { mode: 'mutant' });
  expect(lostOf(acknowledged, await countsIn(folder)).length).toBeGreaterThan(0);
});

test('a disk that takes no more rejects appends, loses nothing acknowledged, and the log goes on when there is room', async () => {
  const folder = await aFolder();
  const { acknowledged, failures } = await runChild(folder, { maxFileBlocks: 9 });
  expect(failures).toEqual(['EFBIG']);
  expect(acknowledged.length).toBeGreaterThan(0);
  expect(lostOf(acknowledged, await countsIn(folder))).toEqual([]);
});

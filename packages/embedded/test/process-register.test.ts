import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimFolder, endRecordedOrphans, recordProcess } from '@tollgate/embedded/process-register';
import { afterEach, beforeEach, expect, test } from 'vitest';

let folder: string;
let children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-register-'));
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
  await rm(folder, { recursive: true, force: true });
});

async function startChild(script = 'setInterval(() => {}, 1000)'): Promise<ChildProcess & { pid: number }> {
  const child = spawn(process.execPath, ['-e', `${script}; console.log('up')`], { stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  await once(child.stdout, 'data');
  return child as typeof child & { pid: number };
}

test('ends what an earlier run left behind, and only once', async () => {
  const child = await startChild();
  await recordProcess(folder, 'envoy', child.pid);
  const exit = once(child, 'exit');
  expect(await endRecordedOrphans(folder)).toEqual(['envoy']);
  expect(await exit).toEqual([null, 'SIGTERM']);
  expect(await endRecordedOrphans(folder)).toEqual([]);
});

test('leaves alone the process that was given the same pid later', async () => {
  const child = await startChild();
  await recordProcess(folder, 'envoy', child.pid);
  const file = join(folder, 'processes', `${child.pid}.json`);
  const record = JSON.parse(await readFile(file, 'utf8'));
  await writeFile(file, JSON.stringify({ ...record, startTime: '1' }));
  expect(await endRecordedOrphans(folder)).toEqual([]);
  expect(child.exitCode ?? child.signalCode).toBeNull();
  expect(await readdir(join(folder, 'processes'))).toEqual([]);
});

test('a record that a crash cut short stops nothing', async () => {
  const child = await startChild();
  await recordProcess(folder, 'envoy', child.pid);
  await writeFile(join(folder, 'processes', '4711.json'), '{"pid":');
  expect(await endRecordedOrphans(folder)).toEqual(['envoy']);
});

test('a second gateway in the same folder is told who is there', async () => {
  const other = await startChild();
  await claimFolder(folder, other.pid);
  await expect(claimFolder(folder, process.pid)).rejects.toThrow(`in use by process ${other.pid}`);
});

test('the claim of a process that was killed is taken over', async () => {
  const other = await startChild();
  await claimFolder(folder, other.pid);
  other.kill('SIGKILL');
  await once(other, 'exit');
  const claim = await claimFolder(folder, process.pid);
  await claim.release();
  await claimFolder(folder, process.pid);
  expect(await readdir(folder)).toEqual(['owner.json']);
});

test('of many who want the folder of a dead owner, one gets it', async () => {
  const dead = await startChild();
  await claimFolder(folder, dead.pid);
  dead.kill('SIGKILL');
  await once(dead, 'exit');
  const rivals = await Promise.all([startChild(), startChild(), startChild(), startChild()]);
  const outcomes = await Promise.allSettled(rivals.map(({ pid }) => claimFolder(folder, pid)));
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fixedClock } from '@tollgate/testing/clock';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { createMemoryLimitStore } from '../../src/memory/memory-limit-store.js';
import { dayQuota, limitStoreBehaves, only, rate, taker } from '../limit-store-behaves.js';
import { NOON } from '../noon.js';

limitStoreBehaves('memory', async () => {
  const clock = fixedClock(NOON);
  const store = createMemoryLimitStore({ now: clock.now });
  return { store, advance: async (ms) => clock.advance(ms), close: () => store.close() };
});

test('a day quota begins anew at midnight, to the millisecond', async () => {
  const clock = fixedClock(NOON);
  const take = taker(createMemoryLimitStore({ now: clock.now }), [dayQuota(1)]);
  await take(1);
  const { waitMs } = only(await take(1));
  clock.advance(waitMs - 1);
  expect((await take(1)).isAllowed).toBe(false);
  clock.advance(1);
  expect((await take(1)).isAllowed).toBe(true);
});

test('at the bound what is idle goes first, then what was used longest ago', async () => {
  const clock = fixedClock(NOON);
  const store = createMemoryLimitStore({ now: clock.now, maxEntries: 10 });
  const takeAs = (organizationId: string, perMinute: number) => taker(store, [rate(perMinute, 1)], organizationId);
  await takeAs('oldest', 1)(1);
  await takeAs('second', 1)(1);
  for (let i = 0; i < 8; i++) await takeAs(`idle-${i}`, 60_000)(1);
  clock.advance(10);
  await takeAs('oldest', 1)(1); // denied, but used
  for (let i = 0; i < 8; i++) await takeAs(`busy-${i}`, 1)(1);
  expect((await takeAs('second', 1)(1)).isAllowed).toBe(false);
  expect((await takeAs('oldest', 1)(1)).isAllowed).toBe(false);
  await takeAs('one more', 1)(1);
  expect((await takeAs('busy-0', 1)(1)).isAllowed).toBe(true);
  expect((await takeAs('oldest', 1)(1)).isAllowed).toBe(false);
});

test('a quota outlives a restart, a bucket does not', async () => {
  const folder = await freshFolder();
  const first = open(folder);
  await taker(first, [dayQuota(10), rate(1, 10)], 'acme')(4);
  await first.close();
  const second = open(folder);
  const look = await taker(second, [dayQuota(10), rate(1, 10)], 'acme')(0);
  expect(look.states.map((state) => state.remaining)).toEqual([6, 10]);
  await second.close();
});

test('a killed process has lost at most the last interval', async () => {
  const folder = await freshFolder();
  const killed = open(folder, 1);
  await taker(killed, [dayQuota(10)], 'acme')(4);
  await until(async () => (await readFile(join(folder, 'quotas.json'), 'utf8')).includes('acme'));
  const next = open(folder);
  expect(only(await taker(next, [dayQuota(10)], 'acme')(0)).remaining).toBe(6);
  await Promise.all([next.close(), killed.close()]);
});

test('a file that cannot be read is put aside, told of, and counting begins at 0', async () => {
  for (const content of [
    '{"version":1,"counters":[["acme",',
    '{"version":2,"counters":[]}',
    'null',
    '{"version":1,"counters":[["a",-1,0,0]]}',
  ]) {
    const folder = await freshFolder();
    await writeFile(join(folder, 'quotas.json'), content);
    const problems: string[] = [];
    const store = open(folder, 1_000, problems);
    expect(only(await taker(store, [dayQuota(10)], 'acme')(0)).remaining).toBe(10);
    expect(problems).toEqual([expect.stringContaining('begin at 0')]);
    expect(await readdir(folder)).toEqual(['quotas.json.corrupt']);
    await store.close();
  }
});

test('a folder that cannot be written is told of and tried again, and counting goes on', async () => {
  const folder = await freshFolder();
  const problems: string[] = [];
  const store = open(folder, 1, problems);
  await rm(folder, { recursive: true });
  const take = taker(store, [dayQuota(10)], 'acme');
  await take(1);
  await until(() => problems.length >= 2);
  expect(only(await take(1)).remaining).toBe(8);
  await store.close();
});

function open(folder: string, intervalMs = 1_000, problems: string[] = []) {
  const onProblem = (problem: string) => void problems.push(problem);
  return createMemoryLimitStore({ now: () => NOON, quotas: { folder, intervalMs, onProblem } });
}

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-quotas-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

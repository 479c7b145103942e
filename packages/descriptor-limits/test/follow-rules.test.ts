import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '@tollgate/testing/until';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { followRules, RulesRefused } from '../src/follow-rules.js';

const root = mkdtempSync(join(tmpdir(), 'tollgate-rules-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const folder = (): string => mkdtempSync(join(root, 'folder-'));
const rule = (requests: number, domain = 'shop'): string =>
  `domain: ${domain}\ndescriptors:\n  - { key: a, rate_limit: { unit: minute, requests_per_unit: ${requests} } }\n`;

async function following(path: string) {
  const [loaded, kept]: [number[], string[][]] = [[], []];
  const followed = await followRules({
    path,
    everyMs: 5,
    onLoaded: (count) => loaded.push(count),
    onKept: (problems) => kept.push([...problems]),
  });
  onTestFinished(() => followed.close());
  const limitOf = (domain = 'shop') => {
    const limit = followed.rules().get(domain)?.rules.get('a')?.otherwise?.limit;
    return typeof limit === 'object' ? limit.requestsPerUnit : undefined;
  };
  const becomes = (requests: number | undefined, domain?: string) =>
    until(() => limitOf(domain) === requests, 10_000, `the limit ${requests}`);
  return { followed, loaded, kept, limitOf, becomes };
}

test('a file that is written over, renamed into place or given another time is followed', async () => {
  const path = join(folder(), 'rules.yaml');
  writeFileSync(path, rule(1));
  const { becomes, loaded } = await following(path);
  writeFileSync(path, rule(2));
  await becomes(2);
  writeFileSync(`${path}.new`, rule(3));
  utimesSync(`${path}.new`, 1, 1); // of the same size and older than the old one
  renameSync(`${path}.new`, path);
  await becomes(3);
  expect(loaded).toEqual([1, 1]);
});

test('a folder as Kubernetes mounts a ConfigMap is followed through the swap of its link', async () => {
  const mount = folder();
  let generation = 0;
  const swap = (files: Record<string, string>): void => {
    const name = `..generation-${generation++}`;
    mkdirSync(join(mount, name));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(mount, name, file), text);
    symlinkSync(name, join(mount, '..new'));
    renameSync(join(mount, '..new'), join(mount, '..data'));
  };
  swap({ 'a.yaml': rule(1), 'b.yml': rule(7, 'other') });
  for (const file of ['a.yaml', 'b.yml']) symlinkSync(join('..data', file), join(mount, file));
  const { becomes, limitOf, followed } = await following(mount);
  expect([limitOf(), limitOf('other'), followed.ruleCount()]).toEqual([1, 7, 2]);
  swap({ 'a.yaml': rule(2), 'b.yml': rule(8, 'other') });
  await becomes(2);
  expect(limitOf('other')).toBe(8);
});

test('files that come and go are followed; others than *.yaml and *.yml, and those with a dot, are not read', async () => {
  const path = folder();
  writeFileSync(join(path, 'a.yaml'), rule(1));
  writeFileSync(join(path, 'README.md'), 'no rules');
  writeFileSync(join(path, '.a.yaml'), 'what an editor left behind');
  const { becomes, limitOf } = await following(path);
  writeFileSync(join(path, 'b.yml'), rule(2, 'other'));
  await becomes(2, 'other');
  rmSync(join(path, 'b.yml'));
  await becomes(undefined, 'other');
  expect(limitOf()).toBe(1);
});

test('a bad file keeps the last good rules, is told once, and is forgotten when it is good again', async () => {
  const path = join(folder(), 'rules.yaml');
  writeFileSync(path, rule(1));
  const { becomes, limitOf, followed, kept, loaded } = await following(path);
  writeFileSync(path, 'domain: shop\ndescriptors:\n  - key: ""\n');
  await until(() => followed.problems().length > 0);
  expect(followed.problems()).toEqual([`${path}:3: the descriptor needs a key that is not empty`]);
  expect([limitOf(), loaded]).toEqual([1, []]);

  writeFileSync(path, rule(1)); // taken back: nothing new to load
  await until(() => followed.problems().length === 0);
  writeFileSync(path, 'domain: shop\ndescriptors:\n  - key: ""\n');
  await until(() => kept.length === 2);
  writeFileSync(path, rule(2));
  await becomes(2);
  expect([followed.problems(), kept.length, loaded]).toEqual([[], 2, [1]]);
});

test.each<[string, (path: string) => void, RegExp]>([
  ['a file that is gone', (path) => rmSync(join(path, 'a.yaml')), /holds no file \*\.yaml or \*\.yml/],
  ['a folder that is gone', (path) => rmSync(path, { recursive: true }), /is not there/],
  ['what is no UTF-8', (path) => writeFileSync(join(path, 'a.yaml'), Buffer.from([0xff, 0xfe, 0xff])), /is not UTF-8/],
  ['far too much', (path) => writeFileSync(join(path, 'b.yaml'), ' '.repeat(1_100_000)), /is more than 1 MiB/],
  ['a link to nothing', (path) => symlinkSync('nothing', join(path, 'b.yaml')), /b\.yaml: is not there/],
])('%s keeps the last good rules', async (_, damage, problem) => {
  const path = folder();
  writeFileSync(join(path, 'a.yaml'), rule(1));
  const { kept, limitOf } = await following(path);
  damage(path);
  await until(() => kept.length > 0);
  expect(kept.flat().join('\n')).toMatch(problem);
  expect(limitOf()).toBe(1);
});

test('without good rules to begin with there are none', async () => {
  const options = { onLoaded() {}, onKept() {} };
  await expect(followRules({ path: join(root, 'nothing'), ...options })).rejects.toThrow(RulesRefused);
  const path = join(folder(), 'rules.yaml');
  writeFileSync(path, 'domain: ""\n');
  await expect(followRules({ path, ...options })).rejects.toMatchObject({
    problems: [`${path}:1: the file needs a domain that is not empty`],
  });
});

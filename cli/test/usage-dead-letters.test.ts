import { afterAll, beforeAll, expect, test } from 'vitest';
import { fieldsOf, SHAPES } from './json-shapes.js';
import { anEvent, type OpenUsage, openUsage } from './open-usage.js';
import { type Cli, cliHere } from './run-cli.js';

const ORGANIZATION = '11111111-1111-4111-8111-111111111111';
const REPLAY = ['usage', 'dead-letters', 'replay'];
const LIST = ['usage', 'dead-letters', 'list'];

let usage: OpenUsage;
let cli: Cli;

type Letter = (typeof SHAPES)['usage dead-letters list'];

beforeAll(async () => {
  usage = await openUsage();
  cli = cliHere(usage.url);
  const event = anEvent(ORGANIZATION);
  const values = [
    // Judged when its time was still to come.
    JSON.stringify(event),
    JSON.stringify({ ...event, units: -1 }),
    JSON.stringify({ ...event, path: '\u001b[2J=1' }).replace('"v":1', '"v":2'),
    JSON.stringify(anEvent(ORGANIZATION)),
    JSON.stringify(event),
  ];
  await usage.store(
    [],
    [
      ...values.map((value, at) => ({ offset: BigInt(at), value: Buffer.from(value), reason: 'too far ahead (time)' })),
      { offset: 5n, value: Buffer.alloc(70_000, '{'), reason: 'too long' },
      { offset: 6n, value: Buffer.from([0xff]), reason: 'not UTF-8' },
    ],
  );
});
afterAll(() => usage.close());

const letters = (...words: string[]) => cli.json<Letter[]>(...LIST, ...words);

test('dead letters are listed page by page, and what strangers wrote in them acts on no terminal', async () => {
  const all = await letters();
  expect(fieldsOf(all[0])).toEqual(fieldsOf(SHAPES['usage dead-letters list']));
  expect(all.map(({ offset }) => offset)).toEqual(['0', '1', '2', '3', '4', '5', '6']);
  expect(all[5]).toMatchObject({ value_bytes: 70_000, reason: 'too long', replayed_at: null });
  expect(await letters('--limit', '2', '--after', all[1]?.id ?? '')).toEqual(all.slice(2, 4));
  for (const format of ['table', 'csv', 'id']) {
    const { exitCode, stdout } = await cli.run(...LIST, '-o', format);
    expect(exitCode).toBe(0);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for.
    expect(stdout.replaceAll(/\r?\n/g, '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  }
});

test('a replay stores what is an event by now, once however often it is repeated, and leaves the rest with its reason', async () => {
  const before = await letters();
  const [first] = before;
  const one = await cli.json(...REPLAY, first?.id ?? '');
  expect(one).toEqual({ stored: 1, duplicates: 0, passed_over: 0, failed: 0, problems: [] });
  expect(await cli.json(...REPLAY, first?.id ?? '', '999999')).toMatchObject({ stored: 0, passed_over: 2 });

  const { exitCode, stdout } = await cli.run(...REPLAY, '--all', '-o', 'json');
  expect(exitCode).toBe(1);
  const report = JSON.parse(stdout) as (typeof SHAPES)['usage dead-letters replay'];
  expect(fieldsOf(report)).toEqual(fieldsOf(SHAPES['usage dead-letters replay']));
  expect(report).toMatchObject({ stored: 1, duplicates: 1, failed: 4 });
  expect(report.problems.map(({ reason }) => reason)).toEqual([
    'invalid units',
    'unknown version (v)',
    'too long: only its beginning was kept',
    'not UTF-8',
  ]);
  const [row] = await usage.db.query(
    'SELECT sum(requests)::int AS requests, sum(billable_units)::int AS units FROM usage_hourly',
  );
  expect(row).toEqual({ requests: 2, units: 4 });

  const after = await letters();
  expect(after.map(({ replayed_at }) => replayed_at !== null)).toEqual([true, false, false, true, true, false, false]);
  expect(after.map(({ reason }) => reason)).toEqual(before.map(({ reason }) => reason));
  const again = JSON.parse((await cli.run(...REPLAY, '--all', '-o', 'json')).stdout) as object;
  expect(again).toMatchObject({ stored: 0, duplicates: 0, failed: 4 });
});

test('replays at the same time store each letter once', async () => {
  const events = Array.from({ length: 30 }, () => anEvent('33333333-3333-4333-8333-333333333333'));
  await usage.store(
    [],
    events.map((event, at) => ({ offset: BigInt(at), value: Buffer.from(JSON.stringify(event)), reason: 'r' })),
  );
  const runs = await Promise.all([1, 2, 3].map(() => cli.run(...REPLAY, '--all', '-o', 'json')));
  const reports = runs.map(({ stdout }) => JSON.parse(stdout) as { stored: number; duplicates: number });
  expect(reports.reduce((sum, { stored }) => sum + stored, 0)).toBe(30);
  expect(reports.reduce((sum, { duplicates }) => sum + duplicates, 0)).toBe(0);
});

test('which letters has to be said, and how', async () => {
  expect(await cli.failure(...REPLAY)).toMatchObject({ exitCode: 2, message: expect.stringContaining('--all') });
  expect(await cli.failure(...REPLAY, '1', '--all')).toMatchObject({ exitCode: 2 });
  expect(await cli.failure(...REPLAY, 'x')).toMatchObject({ exitCode: 2, message: expect.stringContaining('whole number') });
  expect(await cli.failure(...LIST, '--limit', '0')).toMatchObject({ exitCode: 2 });
  expect(await cli.failure('usage', 'dead-letters')).toMatchObject({
    exitCode: 2,
    message: expect.stringContaining('Name a verb'),
  });
});

import { until } from '@tollgate/testing/until';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { fieldsOf, SHAPES } from './json-shapes.js';
import { anEvent, type OpenUsage, openUsage } from './open-usage.js';
import { cliHere, startCli } from './run-cli.js';

const DEADLINE_MS = 20_000;

let usage: OpenUsage;
let organizationId: string;

beforeAll(async () => {
  usage = await openUsage();
  organizationId = (await cliHere(usage.url).json<{ id: string }>('org', 'create', '--name', 'Acme')).id;
});
afterAll(() => usage.close());

async function tail(...words: string[]) {
  const cli = await startCli(['usage', 'tail', '--org', 'Acme', ...words], { env: { DATABASE_URL: usage.url } });
  onTestFinished(async () => {
    cli.signal('SIGKILL');
    await cli.ended;
  });
  await until(() => cli.run.stderr.includes('Ctrl-C ends it'), DEADLINE_MS, 'the first word of tail');
  return cli;
}

function lines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('requests are printed as they are stored, each once, and Ctrl-C ends it well', async () => {
  const [before, first, second] = [
    anEvent(organizationId, { path: '/before' }),
    anEvent(organizationId),
    anEvent(organizationId),
  ];
  await usage.store([before]);
  const cli = await tail('--since', '1h', '-o', 'json');
  const printed = () => lines(cli.run.stdout);
  const isPrinted = (count: number) => until(() => printed().length >= count, DEADLINE_MS, 'so many lines');
  await isPrinted(1);
  await usage.store([first]);
  await isPrinted(2);
  // Its time is older than that of what was shown already, and another organization's is nobody's business here.
  const late = anEvent(organizationId, { time: `${new Date(Date.now() - 30_000).toISOString().slice(0, -1)}000Z` });
  await usage.store([late, second, anEvent('33333333-3333-4333-8333-333333333333')]);
  await isPrinted(4);
  cli.signal('SIGINT');
  expect(await cli.ended).toMatchObject({ exitCode: 0 });
  expect(printed().map(({ event_id }) => event_id)).toEqual([before, first, late, second].map(({ event_id }) => event_id));
  expect(fieldsOf(printed()[0])).toEqual(fieldsOf(SHAPES['usage tail']));
});

test('a path that a stranger wrote acts on no terminal', async () => {
  await usage.store([anEvent(organizationId, { path: '/evil\u001b[2J\n\u202eend', route: '=1+1' })]);
  for (const format of ['table', 'csv', 'json']) {
    const cli = await tail('--since', '1h', '-o', format);
    await until(() => cli.run.stdout.includes('/evil'), DEADLINE_MS, 'the request');
    cli.signal('SIGTERM');
    const { exitCode, stdout } = await cli.ended;
    expect(exitCode).toBe(0);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for.
    expect(stdout.replaceAll(/\r?\n/g, '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    if (format === 'csv') expect(stdout).toContain(",'=1+1,");
    if (format !== 'json') expect(stdout.split('\n')[0]?.toLowerCase()).toMatch(/^time/);
  }
});

test('without --org, or with a duration that has no unit, it says what is missing', async () => {
  const cli = cliHere(usage.url);
  expect(await cli.failure('usage', 'tail')).toMatchObject({ exitCode: 2, message: expect.stringContaining('--org') });
  expect(await cli.failure('usage', 'tail', '--org', 'Acme', '--since', '10')).toMatchObject({ exitCode: 2 });
});

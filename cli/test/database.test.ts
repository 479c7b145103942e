import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freshDatabase } from '@tollgate/testing/database';
import { aTopicName, sharedKafka } from '@tollgate/testing/kafka';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fieldsOf, SHAPES } from './json-shapes.js';
import { type CliOptions, type CliRun, cliHere, cliOn, runCli } from './run-cli.js';

let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database.close());

/** A folder in which a gateway left this. */
async function folderWith(gatewayFile: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-cli-'));
  await mkdir(join(folder, '.tollgate'));
  await writeFile(join(folder, '.tollgate', 'gateway.json'), gatewayFile);
  return folder;
}

function gatewayFile(databaseUrl: string): string {
  const urls = { gatewayUrl: 'http://127.0.0.1:1', adminUrl: 'http://127.0.0.1:1', databaseUrl };
  return JSON.stringify({ pid: 1, ...urls, services: { authz: 'http://127.0.0.1:1' } });
}

/** Of `org list`: exit code and the code of the error. */
async function outcome(
  options: CliOptions,
): Promise<{ exitCode: CliRun['exitCode']; code: string | undefined; message: string }> {
  const { exitCode, stderr } = await runCli(['org', 'list', '-o', 'json'], options);
  const { error } = (stderr === '' ? {} : JSON.parse(stderr)) as { error?: { code: string; message: string } };
  return { exitCode, code: error?.code, message: error?.message ?? '' };
}

const NOBODY = 'postgres://someone:canary-password@127.0.0.1:1/none';

test('the gateway that runs in this folder is found without any setting', async () => {
  expect(await outcome({ cwd: await folderWith(gatewayFile(database.url)) })).toMatchObject({ exitCode: 0 });
});

test('DATABASE_URL comes before the gateway of this folder, and may come from a file', async () => {
  const cwd = await folderWith(gatewayFile(NOBODY));
  expect(await outcome({ cwd, env: { DATABASE_URL: database.url } })).toMatchObject({ exitCode: 0 });
  await writeFile(join(cwd, 'url'), `${database.url}\n`);
  expect(await outcome({ cwd, env: { DATABASE_URL_FILE: join(cwd, 'url') } })).toMatchObject({ exitCode: 0 });
});

test('without any database it says how to get one', async () => {
  const found = await outcome({});
  expect(found).toMatchObject({ exitCode: 78, code: 'no_database' });
  expect(found.message).toMatch(/npm start.*DATABASE_URL/);
});

test.each(['', '{', '[]', 'null', '{"pid":1}', '{"pid":"1","databaseUrl":5}'])(
  'a gateway.json of %j is told as such',
  async (content) => {
    expect(await outcome({ cwd: await folderWith(content) })).toMatchObject({ exitCode: 78, code: 'no_database' });
  },
);

test('a gateway that has ended is told as such', async () => {
  const found = await outcome({ cwd: await folderWith(gatewayFile(NOBODY)) });
  expect(found).toMatchObject({ exitCode: 69, code: 'unavailable' });
  expect(found.message).toContain('npm start');
});

test('a database that does not answer, or refuses, is told without its password', async () => {
  const wrong = new URL(database.url);
  wrong.pathname = '/none';
  const runs = [
    { exitCode: 69, code: 'unavailable', url: NOBODY },
    { exitCode: 78, code: 'bad_settings', url: wrong.href },
    { exitCode: 78, code: 'bad_settings', url: 'mysql://a:canary-password@b/c' },
    { exitCode: 78, code: 'bad_settings', url: 'canary-password' },
    { exitCode: 69, code: 'unavailable', url: 'postgres://a:canary-password%zz@127.0.0.1:1/c' },
  ];
  for (const { url, ...expected } of runs) {
    const found = await outcome({ env: { DATABASE_URL: url } });
    expect(found, url).toMatchObject(expected);
    expect(found.message).not.toContain('canary-password');
  }
});

test('with Kafka the topics are made along with the schema, once, and told', async () => {
  const { brokers } = await sharedKafka();
  const topic = aTopicName();
  const env = { DATABASE_URL: database.url, KAFKA_BROKERS: brokers.join(','), KAFKA_TOPIC: topic, KAFKA_PARTITIONS: '3' };
  const rows = async (...words: string[]) => {
    const { exitCode, stdout } = await runCli([...words, '-o', 'json'], { env });
    expect(exitCode).toBe(0);
    return (JSON.parse(stdout) as (typeof SHAPES.migrate)[]).filter(({ name }) => name.startsWith('topic '));
  };
  const states = (state: string) =>
    [topic, `${topic}-dead-letter`].map((name) => ({ name: `topic ${name}`, state, applied_at: null }));
  expect(await rows('migrate', 'status')).toEqual(states('pending'));
  expect(await rows('migrate', 'up')).toEqual(states('applied'));
  expect(await rows('migrate', 'up')).toEqual([]);
  expect(await rows('migrate', 'status')).toEqual(states('applied'));
  const gone = await runCli(['migrate', 'status', '-o', 'json'], { env: { ...env, KAFKA_BROKERS: '127.0.0.1:1' } });
  expect([gone.exitCode, JSON.parse(gone.stderr)]).toMatchObject([69, { error: { code: 'unavailable' } }]);
});

test('a database without our tables is told to be migrated, and is', async () => {
  const empty = await freshDatabase({ isMigrated: false });
  try {
    const [cli, program] = [cliHere(empty.url), cliOn(empty.url)];
    expect(await program.failure('org', 'list')).toMatchObject({
      exitCode: 1,
      code: 'schema_outdated',
      message: /tollgate migrate up/,
    });

    const pending = await program.json<(typeof SHAPES.migrate)[]>('migrate', 'status');
    expect(pending.length).toBeGreaterThan(0);
    expect(pending.every(({ state }) => state === 'pending')).toBe(true);
    const applied = await program.json<(typeof SHAPES.migrate)[]>('migrate', 'up');
    expect(applied.map(({ name, state }) => [name, state])).toEqual(pending.map(({ name }) => [name, 'applied']));
    expect(fieldsOf(applied[0])).toEqual(fieldsOf(SHAPES.migrate));
    expect(await cli.json('migrate', 'up')).toEqual([]);
    expect(await cli.json('migrate', 'status')).toEqual(applied);

    expect(await cli.failure('migrate', 'down')).toMatchObject({ exitCode: 2, message: /--yes/ });
    expect(await cli.json('migrate', 'status')).toEqual(applied);
    const last = applied.slice(-2).map(({ name }) => ({ name, state: 'pending', applied_at: null }));
    expect(await program.json('migrate', 'down', '--count', '2', '--yes')).toEqual(last);
    expect(await cli.json('migrate', 'status')).toEqual([...applied.slice(0, -2), ...last]);
  } finally {
    await empty.close();
  }
});

test('a database of its own for usage is migrated along with the main one, and told apart from it', async () => {
  const [main, usage] = await Promise.all([freshDatabase({ isMigrated: false }), freshDatabase({ isMigrated: false })]);
  try {
    const env = { DATABASE_URL: main.url, USAGE_DATABASE_URL: usage.url };
    const run = async (...words: string[]) => {
      const { exitCode, stdout } = await runCli([...words, '-o', 'json'], { env });
      expect(exitCode).toBe(0);
      return JSON.parse(stdout) as (typeof SHAPES.migrate)[];
    };
    const findings = async () => {
      const { stdout } = await runCli(['doctor', '-o', 'json'], { env });
      const all = JSON.parse(stdout) as { check: string; status: string }[];
      return all.filter(({ check }) => check.startsWith('migrations')).map(({ check, status }) => [check, status]);
    };
    expect((await run('migrate', 'status')).every(({ state }) => state === 'pending')).toBe(true);
    expect(await findings()).toEqual([
      ['migrations', 'fail'],
      ['migrations (usage database)', 'fail'],
    ]);
    const applied = await run('migrate', 'up');
    const ofMain = applied.filter(({ name }) => !name.endsWith(' (usage database)')).map(({ name }) => name);
    expect(applied.map(({ name }) => name)).toEqual([...ofMain, ...ofMain.map((name) => `${name} (usage database)`)]);
    expect(await cliHere(usage.url).json('migrate', 'up')).toEqual([]);
    expect(await run('migrate', 'status')).toEqual(applied);
    expect(await findings()).toEqual([
      ['migrations', 'ok'],
      ['migrations (usage database)', 'ok'],
    ]);
  } finally {
    await Promise.all([main.close(), usage.close()]);
  }
});

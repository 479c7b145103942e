import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { freePort } from '@tollgate/embedded/free-port';
import { freshDatabase } from '@tollgate/testing/database';
import { startRedis } from '@tollgate/testing/redis';
import { until } from '@tollgate/testing/until';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { BY_NPM, type Exit, type Gateway, newDataFolder, type Program, startGateway, startProgram } from './gateway.js';
import { openToTheWorld, withDescendants } from './listening.js';

async function run(env: Record<string, string>, args?: string[], folder?: string): Promise<Program & { code: number | null }> {
  const program = await startProgram(folder ?? (await newDataFolder()), env, args);
  onTestFinished(() => void program.stop('SIGKILL'));
  const { code } = await program.exited;
  return { ...program, code };
}

describe('a gateway that runs', () => {
  let gateway: Gateway;

  beforeAll(async () => {
    gateway = await startGateway();
    return () => gateway.close();
  });

  test('prints one line of JSON for scripts, and nothing else', async () => {
    expect(gateway.stdout().split('\n')).toHaveLength(2);
    expect(JSON.parse(gateway.stdout())).toEqual({
      gatewayUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      upstreamUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      databaseUrl: expect.stringMatching(/^postgres:\/\/postgres:[\w-]{32}@127\.0\.0\.1:\d+\/postgres$/),
      organizationId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      apiKey: expect.stringMatching(/^sk_live_[a-z0-9]{32}$/),
      adminUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    });
  });

  test('shows a newcomer with its demo upstream what the gateway adds, and that the key is not passed on', async () => {
    const { body } = await gateway.ask('/hello?x=1');
    const { path, headers } = JSON.parse(body);
    expect(path).toBe('/hello?x=1');
    expect(headers).toMatchObject({ 'x-organization-id': gateway.organizationId, 'x-plan-tier': 'basic' });
    expect(body).not.toContain(gateway.apiKey);
    expect((await gateway.ask('/status/418')).status).toBe(418);
  });

  test('keeps its secrets in files of its owner alone', async () => {
    const modeOf = async (...names: string[]) => ((await stat(join(gateway.folder, ...names))).mode & 0o777).toString(8);
    expect(await modeOf('demo.json')).toBe('600');
    expect(await modeOf('gateway.json')).toBe('600');
    expect(await modeOf('postgres', 'password')).toBe('600');
    expect(await modeOf('run')).toBe('700');
    expect(JSON.parse(await readFile(join(gateway.folder, 'demo.json'), 'utf8'))).toEqual({
      organizationId: gateway.organizationId,
      apiKey: gateway.apiKey,
    });
  });

  test('writes neither a key nor the password of the database into any other file, nor on a command line', async () => {
    await gateway.ask('/x', { headers: { authorization: `Bearer ${gateway.apiKey}` } });
    await gateway.ask('/x', { headers: { 'x-api-key': `${gateway.apiKey}x` } });
    const password = new URL(gateway.databaseUrl).password;
    expect(await filesWith(gateway.folder, gateway.apiKey)).toEqual(['demo.json']);
    expect(await filesWith(gateway.folder, password)).toEqual(['gateway.json', 'postgres/password']);
    for (const pid of await withDescendants([gateway.pid])) {
      const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      expect(commandLine.includes(password) || commandLine.includes(gateway.apiKey)).toBe(false);
    }
  });

  test('listens beyond this machine on the port of the gateway alone', async () => {
    expect(await openToTheWorld([gateway.pid])).toEqual([`0.0.0.0:${new URL(gateway.gatewayUrl).port}`]);
  });

  test('a second start in its folder is refused, names the process, and does no harm', async () => {
    const second = await run({}, undefined, gateway.folder);
    expect(second.code).toBe(1);
    expect(second.stdout()).toBe('');
    expect(second.stderr()).toContain(`is in use by process ${gateway.pid}`);
    expect(second.stderr()).toContain('DATA_DIR');
    expect(second.stderr()).not.toMatch(/\n\s+at /);
    expect((await gateway.ask('/x')).status).toBe(200);
    expect(await gateway.gatewayFile()).toMatchObject({ pid: gateway.pid });
  });

  test('a second gateway on its port is refused before anything is made, with the next step', async () => {
    const { port } = new URL(gateway.gatewayUrl);
    const folder = await newDataFolder();
    const second = await run({ GATEWAY_PORT: port }, undefined, folder);
    expect(second.code).toBe(1);
    expect(second.stderr()).toMatch(new RegExp(`Port ${port} is in use .* GATEWAY_PORT=\\d+`));
    expect(second.stderr()).not.toMatch(/\n\s+at /);
    expect(await readdir(folder)).not.toContain('postgres');
    const admin = await run({ ENVOY_ADMIN_PORT: new URL(gateway.adminUrl).port });
    expect(admin.stderr()).toMatch(/is in use .* ENVOY_ADMIN_PORT=\d+/);
  });
});

test('a second start prints the same key and organization, and usage goes on', async () => {
  const gateway = await startGateway();
  onTestFinished(() => gateway.close());
  await gateway.ask('/x');
  expect(await gateway.interrupt()).toEqual({ code: 0, signal: null });
  expect(await readdir(gateway.folder)).not.toContain('gateway.json');
  const again = await startGateway({ folder: gateway.folder });
  onTestFinished(() => again.close());
  expect([again.apiKey, again.organizationId]).toEqual([gateway.apiKey, gateway.organizationId]);
  expect((await again.ask('/x')).status).toBe(200);
});

describe('all that `npm start` began ends', () => {
  const ends: [how: string, command: typeof BY_NPM | undefined, end: (program: Program) => Promise<Exit>][] = [
    ['by SIGTERM to npm alone, as a supervisor sends it', BY_NPM, (program) => program.stop('SIGTERM')],
    ['with the terminal that it was started in', undefined, (program) => program.hangUp()],
  ];
  test.each(ends)('%s', async (_, command, end) => {
    const program = await startProgram(await newDataFolder(), {}, ['--json'], command);
    onTestFinished(() => void program.stop('SIGKILL'));
    expect(await program.firstLine()).toContain('gatewayUrl');
    const all = await withDescendants([program.pid]);
    expect(all.length).toBeGreaterThan(3);
    await end(program);
    const left = () => all.filter((pid) => existsSync(`/proc/${pid}`));
    await until(() => left().length === 0, 20_000, 'the end of all').catch(() => {});
    expect(left()).toEqual([]);
  });
});

test('a port that any other program holds is named with the next step', async () => {
  const server = createServer().listen(0, '0.0.0.0');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const { code, stderr } = await run({ GATEWAY_PORT: String(port) });
  expect([code, stderr()]).toEqual([1, expect.stringContaining(`Port ${port} is in use`)]);
});

test('every bad setting is named at once, those of the services too, and nothing is started', async () => {
  const folder = join(await newDataFolder(), 'absent');
  const bad = {
    GATEWAY_PORT: 'http',
    UPSTREAM_URL: 'ftp://example.com',
    UPSTREAM_TIMEOUT: '15',
    KAFKA_BROKERS: 'localhost',
    LOG_LEVEL: 'loud',
    KEY_CACHE_SIZE: '0',
    RATELIMIT_STORE_DOWN: 'panic',
    USAGE_PATH: 'some',
  };
  const { code, stdout, stderr } = await run(bad, undefined, folder);
  expect(code).toBe(78);
  expect(stdout()).toBe('');
  for (const name of Object.keys(bad)) expect(stderr()).toContain(`  ${name} `);
  expect(stderr()).not.toMatch(/\n\s+at /);
  await expect(stat(folder)).rejects.toThrow('ENOENT');
});

test('--help names every setting with its default, and starts nothing', async () => {
  const folder = join(await newDataFolder(), 'absent');
  const { code, stdout } = await run({}, ['--help'], folder);
  expect(code).toBe(0);
  for (const text of [
    'GATEWAY_PORT',
    '(8080)',
    'DATABASE_URL',
    'REDIS_URL',
    'UPSTREAM_URL',
    'DATA_DIR',
    '(.tollgate)',
    '--json',
  ]) {
    expect(stdout()).toContain(text);
  }
  await expect(stat(folder)).rejects.toThrow('ENOENT');
});

test('an option that does not exist is told in a line', async () => {
  const { code, stderr } = await run({}, ['--jsn']);
  expect([code, stderr()]).toEqual([2, expect.stringContaining('--jsn')]);
  expect(stderr()).not.toMatch(/\n\s+at /);
});

test('DATABASE_URL and REDIS_URL take the place of what is embedded', async () => {
  const [database, redis] = await Promise.all([freshDatabase({ isMigrated: false }), startRedis()]);
  const gateway = await startGateway({ env: { DATABASE_URL: database.url, REDIS_URL: redis.url } });
  onTestFinished(async () => {
    await gateway.close();
    await redis.close();
    await database.close();
  });
  expect(gateway.databaseUrl).toBe(database.url);
  expect((await gateway.ask('/x')).status).toBe(200);
  expect(await readdir(gateway.folder)).not.toContain('postgres');
});

test('a database that is not there is told in a line, without its password', async () => {
  const { code, stderr } = await run({ DATABASE_URL: `postgres://me:open-sesame@127.0.0.1:${await freePort()}/x` });
  expect([1, 69]).toContain(code);
  expect(stderr()).toMatch(/database|PostgreSQL|ECONNREFUSED/);
  expect(stderr()).not.toContain('open-sesame');
  expect(stderr()).not.toMatch(/\n\s+at /);
});

test('a DATA_DIR whose path is too long for a socket works all the same', async () => {
  const parent = await newDataFolder();
  const folder = join(parent, 'a-rather-long-name-of-a-folder'.repeat(4), 'with a space');
  await mkdir(folder, { recursive: true });
  const gateway = await startGateway({ folder });
  onTestFinished(async () => {
    await gateway.close();
    await rm(parent, { recursive: true, force: true });
  });
  expect((await gateway.ask('/x')).status).toBe(200);
});

/** Files below the folder that hold this text, wherever in them. */
async function filesWith(folder: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const content = await readFile(path).catch(() => Buffer.alloc(0));
    if (content.includes(text)) found.push(path.slice(folder.length + 1));
  }
  return found;
}

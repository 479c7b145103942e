import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type BackgroundProcess, startBackgroundProcess, stopInSteps } from './background-process.js';
import { versionText } from './find-program.js';
import { freePort } from './free-port.js';
import { findPostgresBinaries } from './postgres-binaries.js';
import { choosePostgresLaunch, type PostgresLaunch } from './postgres-launch.js';
import { startTimeOf } from './process-identity.js';

const INIT_DEADLINE_MS = 120_000;
const START_DEADLINE_MS = 60_000;
const LOOK_AGAIN_MS = 20;
const STOP_STEPS = [
  { signal: 'SIGINT', waitMs: 10_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
] as const;
const PROGRAM_ENV = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
/** What the last life of this cluster may hold for a moment longer, or another program was quicker to take. */
const PASSING_TROUBLE = /still in use|Address already in use|lock file "postmaster\.pid" already exists/;

export type PostgresOptions = {
  /** Absolute; made when absent. Everything of this cluster lies here: data, password (mode 0600), log. For the one exception see postgres-launch. */
  folder: string;
  /** 0 or absent: a free one. */
  port?: number;
  /** True for tests: nothing is forced to disk, so a power cut (not a kill) may lose data. */
  isThrowaway?: boolean;
  /** Where the process is recorded; see process-register. */
  recordIn?: string;
  log?: (line: string) => void;
};

export type RunningPostgres = {
  /** With user and password, for the database "postgres". */
  url: string;
  port: number;
  /** Such as "18.4". */
  version: string;
  pid: number;
  /** With the pid it names this process for ever; see process-identity. */
  startTime: string;
  exited: BackgroundProcess['exited'];
  isRunning(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** A fast shutdown: sessions are ended, everything committed is kept. */
  close(): Promise<void>;
};

/**
 * Starts the PostgreSQL that npm installed, on 127.0.0.1 only; the first time it makes a cluster with a random password.
 * Returns when connections are accepted. Throws with the end of PostgreSQL's log when it does not come up.
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const launch = await choosePostgresLaunch(await findPostgresBinaries(), options.folder);
  if (launch.folder !== options.folder) options.log?.(`the database lies in ${launch.folder}`);
  const data = join(launch.folder, 'data');
  if (!(await exists(data))) {
    options.log?.('preparing the database for the first time');
    await makeCluster(launch, data, await newPassword(launch.folder));
  }
  await launch.give(data);
  const { server, port } = await startServer(launch, data, options);
  const password = await readPassword(launch.folder);
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    port,
    version: await versionOf(launch),
    pid: server.pid,
    startTime: (await startTimeOf(server.pid)) ?? '',
    exited: server.exited,
    isRunning: server.isRunning,
    signal: server.signal,
    close: () => stopInSteps(server, STOP_STEPS),
  };
}

async function readPassword(folder: string): Promise<string> {
  const file = join(folder, 'password');
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new Error(`${file} cannot be read: the database in this folder cannot be opened without it.`, { cause });
  }
}

/** The password exists before the cluster does: a crash between the two leaves nothing that cannot be opened. */
async function newPassword(folder: string): Promise<string> {
  const file = join(folder, 'password');
  const password = randomBytes(24).toString('base64url');
  await writeFile(`${file}.new`, password, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return password;
}

/** Makes the cluster aside and renames it into place, so that an interrupted initdb is never taken for a cluster. */
async function makeCluster(launch: PostgresLaunch, data: string, password: string): Promise<void> {
  for (const entry of await readdir(launch.folder)) {
    if (entry.startsWith('init-')) await rm(join(launch.folder, entry), { recursive: true, force: true });
  }
  const aside = join(launch.folder, `init-${randomBytes(4).toString('hex')}`);
  const passwordFile = join(aside, 'password');
  await mkdir(aside, { mode: 0o700 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  await launch.give(passwordFile);
  await launch.give(aside);
  await runInitdb(launch, join(aside, 'data'), passwordFile);
  await rename(join(aside, 'data'), data);
  await rm(aside, { recursive: true, force: true });
}

async function runInitdb(launch: PostgresLaunch, data: string, passwordFile: string): Promise<void> {
  const { command, args, user } = launch.command([
    join(launch.binaries, 'bin', 'initdb'),
    ...['--pgdata', data, '--username', 'postgres', '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
    ...['--encoding', 'UTF8', '--locale', 'C', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'],
  ]);
  try {
    await promisify(execFile)(command, args, { timeout: INIT_DEADLINE_MS, env: PROGRAM_ENV, cwd: launch.folder, ...user });
  } catch (cause) {
    throw new Error(`initdb failed: ${(cause as { stderr?: string }).stderr?.trim() || cause}`);
  }
}

async function startServer(
  launch: PostgresLaunch,
  data: string,
  options: PostgresOptions,
): Promise<{ server: BackgroundProcess; port: number }> {
  const endMs = Date.now() + START_DEADLINE_MS;
  for (;;) {
    await forgetReusedPid(data);
    const port = options.port || (await freePort());
    const { command, args, user } = launch.command(serverArguments(launch, data, port, options.isThrowaway === true));
    const server = await startBackgroundProcess({
      command,
      args,
      user,
      env: PROGRAM_ENV,
      folder: '/',
      logFile: join(launch.folder, 'postgres.log'),
      hasOwnGroup: true,
      record: options.recordIn === undefined ? undefined : { folder: options.recordIn, name: 'postgres', stopSignal: 'SIGINT' },
    });
    if (await becomesReady(server, data, endMs)) return { server, port };
    const report = await server.lastLines();
    if (!PASSING_TROUBLE.test(report) || Date.now() > endMs) throw new Error(`PostgreSQL did not start:\n${report}`);
    await delay(LOOK_AGAIN_MS * 10);
  }
}

function serverArguments(launch: PostgresLaunch, data: string, port: number, isThrowaway: boolean): string[] {
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: 100,
    shared_buffers: '64MB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(isThrowaway ? { fsync: 'off', full_page_writes: 'off' } : {}),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return [join(launch.binaries, 'bin', 'postgres'), '-D', data, ...flags];
}

/** PostgreSQL writes its pid into the first line of postmaster.pid, and its state into the eighth. */
async function becomesReady(server: BackgroundProcess, data: string, endMs: number): Promise<boolean> {
  while (server.isRunning()) {
    const lines = await pidFileLines(data);
    if (Number(lines[0]) === server.pid && lines[7]?.trim() === 'ready') return true;
    if (Date.now() > endMs) {
      await stopInSteps(server, STOP_STEPS);
      return false;
    }
    await delay(LOOK_AGAIN_MS);
  }
  return false;
}

/**
 * After a kill -9 the pid file stays. PostgreSQL sees through it when that pid is dead, but refuses to start when another
 * program has got the pid since. Then we remove the file; never when the process works in this very data folder.
 */
async function forgetReusedPid(data: string): Promise<void> {
  const pid = Number((await pidFileLines(data))[0]);
  if (!(pid > 0) || (await startTimeOf(pid)) === undefined) return;
  const worksIn = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  if (worksIn !== undefined && worksIn !== (await realpath(data))) await rm(join(data, 'postmaster.pid'), { force: true });
}

async function pidFileLines(data: string): Promise<string[]> {
  return (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
}

async function versionOf({ binaries }: PostgresLaunch): Promise<string> {
  return /[\d.]+$/.exec((await versionText(join(binaries, 'bin', 'postgres'))) ?? '')?.[0] ?? 'of an unknown version';
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

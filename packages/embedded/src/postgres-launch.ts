import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, chown, cp, lchown, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const PROBE_DEADLINE_MS = 10_000;
const PROBE_ENV = { PATH: '/usr/bin:/bin' };
/** A place that every user can reach, for the case that the project's own folder is not. */
const REACHABLE_FOLDER = '/var/lib/tollgate';

type User = { uid: number; gid: number };
export type PostgresCommand = { command: string; args: readonly string[]; user?: User };

/** How PostgreSQL's programs are run on this machine. */
export type PostgresLaunch = {
  /** The folder with bin/, lib/, share/. */
  binaries: string;
  /** Where the data goes; exists, and the programs may write to it. */
  folder: string;
  /** The program and its arguments, dressed so that it may run. */
  command(argv: readonly string[]): PostgresCommand;
  /** Gives a file or folder of ours to the user that the programs run as. */
  give(path: string): Promise<void>;
};

/**
 * PostgreSQL refuses to run as root. Started by root we try, each by a real run and in this order:
 * 1. a user namespace in which root has another name: no file changes hands, so a project under /root (mode 0700) is no obstacle;
 * 2. an unprivileged user, who must be able to reach the folders: containers often forbid namespaces, and rarely use /root;
 * 3. the same user, with programs and data in a place of their own.
 */
export async function choosePostgresLaunch(binaries: string, folder: string): Promise<PostgresLaunch> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (userInfo().uid !== 0) return launchFrom(binaries, folder, ([command = '', ...args]) => ({ command, args }));
  const user = await unprivilegedUser();
  for (const candidate of [inNamespace(binaries, folder, user), asUser(binaries, folder, user)]) {
    if (await works(candidate)) return candidate;
  }
  const moved = await inReachableFolder(binaries, folder, user);
  if (await works(moved)) return moved;
  throw new Error(
    `PostgreSQL does not run as root, and neither a user namespace nor the user ${user.uid} can run it here. ` +
      'Start Tollgate as an ordinary user, or set DATABASE_URL.',
  );
}

function inNamespace(binaries: string, folder: string, { uid, gid }: User): PostgresLaunch {
  const prefix = ['--user', `--map-user=${uid}`, `--map-group=${gid}`, '--'];
  return launchFrom(binaries, folder, (argv) => ({ command: 'unshare', args: [...prefix, ...argv] }), { uid: 0, gid: 0 });
}

function asUser(binaries: string, folder: string, user: User): PostgresLaunch {
  return launchFrom(binaries, folder, ([command = '', ...args]) => ({ command, args, user }), user);
}

async function inReachableFolder(binaries: string, folder: string, user: User): Promise<PostgresLaunch> {
  const version = JSON.parse(await readFile(join(binaries, '..', 'package.json'), 'utf8')).version;
  const copy = join(REACHABLE_FOLDER, `postgres-${version}`);
  const data = join(
    REACHABLE_FOLDER,
    `${basename(dirname(folder))}-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`,
  );
  await cp(binaries, copy, { recursive: true, verbatimSymlinks: true });
  await mkdir(data, { recursive: true, mode: 0o700 });
  await chmod(REACHABLE_FOLDER, 0o755);
  return asUser(copy, data, user);
}

function launchFrom(
  binaries: string,
  folder: string,
  build: (argv: readonly string[]) => PostgresCommand,
  owner?: User,
): PostgresLaunch {
  return {
    binaries,
    folder,
    command: build,
    give: async (path) => {
      if (owner !== undefined && (await stat(path)).uid !== owner.uid) await changeOwner(path, owner);
    },
  };
}

async function works(launch: PostgresLaunch): Promise<boolean> {
  await launch.give(launch.folder);
  const program = join(launch.binaries, 'bin', 'postgres');
  const probe = ['/bin/sh', '-c', 'test -w "$1" && exec "$2" --version', 'sh', launch.folder, program];
  const { command, args, user } = launch.command(probe);
  try {
    await promisify(execFile)(command, args, { timeout: PROBE_DEADLINE_MS, cwd: '/', env: PROBE_ENV, ...user });
    return true;
  } catch {
    return false;
  }
}

async function unprivilegedUser(): Promise<User> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  for (const name of ['postgres', 'nobody']) {
    const fields = passwd
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.split(':');
    const uid = Number(fields?.[2]);
    const gid = Number(fields?.[3]);
    if (uid > 0 && gid > 0) return { uid, gid };
  }
  throw new Error(
    'PostgreSQL does not run as root, and /etc/passwd names neither "postgres" nor "nobody". Set DATABASE_URL instead.',
  );
}

async function changeOwner(path: string, owner: User): Promise<void> {
  await chown(path, owner.uid, owner.gid);
  if (!(await stat(path)).isDirectory()) return;
  for (const entry of await readdir(path, { recursive: true })) await lchown(join(path, entry), owner.uid, owner.gid);
}

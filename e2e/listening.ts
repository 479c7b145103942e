import { readdir, readFile, readlink } from 'node:fs/promises';

const LISTEN = '0A';
const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;

/** `address:port` of every TCP socket beyond loopback that one of these processes, or one of their children, listens on. Linux. */
export async function openToTheWorld(pids: readonly number[]): Promise<string[]> {
  const sockets = new Set<string>();
  for (const pid of await withDescendants(pids)) for (const socket of await socketsOf(pid)) sockets.add(socket);
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')));
  const listening = tables.flatMap((table) => table.split('\n').slice(1)).map((line) => line.trim().split(/\s+/));
  const open = listening
    .filter(([, , , state, , , , , , inode]) => state === LISTEN && sockets.has(inode ?? ''))
    .map(([, local]) => addressOf(local ?? ''));
  return [...new Set(open)].filter((address) => !LOOPBACK.test(address));
}

/** These processes and all that they have started, and those started in turn. */
export async function withDescendants(pids: readonly number[]): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
    parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const found = new Set(pids);
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

async function socketsOf(pid: number): Promise<string[]> {
  const entries = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const targets = await Promise.all(entries.map((entry) => readlink(`/proc/${pid}/fd/${entry}`).catch(() => '')));
  return targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
}

/** The kernel writes addresses in hex, in words of the machine's own byte order. */
function addressOf(hex: string): string {
  const [address = '', port = ''] = hex.split(':');
  const bytes = (address.match(/.{8}/g) ?? [])
    .flatMap((word) => (word.match(/../g) ?? []).reverse())
    .map((byte) => Number.parseInt(byte, 16));
  return `${bytes.length === 4 ? bytes.join('.') : sixOf(bytes)}:${Number.parseInt(port, 16)}`;
}

function sixOf(bytes: readonly number[]): string {
  if (bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255) return `::ffff:${bytes.slice(12).join('.')}`;
  return bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1 ? '::1' : `[${bytes.join('.')}]`;
}

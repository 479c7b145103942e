/** What the machine says about itself: CPU time of processes, and how busy it was altogether. Linux only. */
import { readdir, readFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';

/** The kernel counts what it tells programs in hundredths of a second, whatever its own clock is. */
const TICK_NANOS = 1e7;

/** CPU time of a process and its living children so far, in nanoseconds, with that of children that have ended. */
export async function familyNanosOf(pid: number): Promise<number> {
  const processes = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  const ofChildren = processes.map(async (child) => ((await statOf(child))?.parent === pid ? threadsNanos(child) : 0));
  return (await cpuNanosOf(pid)) + sum(await Promise.all(ofChildren));
}

/** The process and all that it started, and those started, as far as they run. */
export async function processTree(pid: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  const parents = await Promise.all(pids.map(async (each) => ({ pid: Number(each), parent: (await statOf(each))?.parent })));
  const tree = [pid];
  for (const each of tree) tree.push(...parents.filter(({ parent }) => parent === each).map((child) => child.pid));
  return tree;
}

/** CPU time of a process without its children that are alive. Those that have ended are counted to a hundredth of a second. */
export async function cpuNanosOf(pid: number): Promise<number> {
  return (await threadsNanos(String(pid))) + ((await statOf(String(pid)))?.endedChildrenNanos ?? 0);
}

/** Threads tell their time to the nanosecond, and the process only to a hundredth of a second. */
async function threadsNanos(pid: string): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const nanos = threads.map(async (thread) =>
    Number((await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0')).split(' ')[0]),
  );
  return sum(await Promise.all(nanos));
}

async function statOf(pid: string): Promise<{ parent: number; endedChildrenNanos: number } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The program's name stands in brackets and may hold blanks; after it come the fields from the third on.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 15) return undefined;
  return { parent: Number(fields[1]), endedChildrenNanos: (Number(fields[13]) + Number(fields[14])) * TICK_NANOS };
}

/** All CPUs together since the machine was started, in nanoseconds. */
export interface MachineTime {
  busy: number;
  /** What the host gave to other machines while this one wanted it. */
  stolen: number;
  total: number;
}

export async function machineTime(): Promise<MachineTime> {
  const line = (await readFile('/proc/stat', 'utf8')).split('\n', 1)[0] ?? '';
  const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softIrq = 0, stolen = 0] = line
    .split(/\s+/)
    .slice(1)
    .map((ticks) => Number(ticks) * TICK_NANOS);
  const busy = user + nice + system + irq + softIrq;
  return { busy, stolen, total: busy + idle + waiting + stolen };
}

/** CPU and kernel, for people. */
export function machineDescription(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU';
  return `${model}, ${cpus().length} cores, Linux ${release()}`;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

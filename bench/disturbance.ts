/** Whether somebody else used the machine meanwhile: these figures are worth less then. */
import { cpuNanosOf, familyNanosOf, machineTime, sum } from './machine.js';

export interface Disturbance {
  /** The share of all CPUs that other programs had. */
  foreign: number;
  /** The share that the host gave to other machines while this one wanted it. */
  stolen: number;
  /** In words, for each of both that is too much. */
  reasons: string[];
}

/** Shares of all CPUs above which a round does not count. */
const MAX_FOREIGN = 0.05;
const MAX_STOLEN = 0.01;

/** Watches from now until the returned function is called. `pids` are the processes of the bench, all children of this one. */
export async function watchMachine(pids: readonly number[]): Promise<() => Promise<Disturbance>> {
  // Of this process's own children only those that have ended are added: the load generator.
  const ours = async (): Promise<number> => sum(await Promise.all(pids.map(familyNanosOf))) + (await cpuNanosOf(process.pid));
  const before = { ours: await ours(), machine: await machineTime() };
  return async () => {
    const after = { ours: await ours(), machine: await machineTime() };
    const total = after.machine.total - before.machine.total;
    const busy = after.machine.busy - before.machine.busy - (after.ours - before.ours);
    const foreign = Math.max(0, busy / total);
    const stolen = (after.machine.stolen - before.machine.stolen) / total;
    const reasons = [
      ...(foreign > MAX_FOREIGN ? [`other programs used ${Math.round(foreign * 100)} % of the CPUs`] : []),
      ...(stolen > MAX_STOLEN ? [`the host took ${Math.round(stolen * 100)} % of the CPUs`] : []),
    ];
    return { foreign, stolen, reasons };
  };
}

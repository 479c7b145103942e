/** reports/reliability.json, and docs/reliability.md, which is made from it and from nothing else. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { machineDescription } from '../bench/machine.js';
import { commit, loadAverage } from '../bench/provenance.js';
import type { Fault } from './fault.js';
import { reliabilityPage } from './reliability-page.js';
import type { FaultResult, RunOptions } from './run-faults.js';
import type { Soak } from './soak/soak-report.js';

export interface Provenance {
  commit: string;
  date: string;
  machine: string;
  /** Of the last minute, when the run ended. */
  load: string;
  rate: number;
}

export interface Results {
  size: RunOptions['size'];
  faults: (FaultResult & { ran: Provenance })[];
  /** Those that no run is on record for. */
  missing: Pick<Fault, 'id' | 'title'>[];
}

export async function provenance(root: string, rate: number): Promise<Provenance> {
  const date = new Date().toISOString().slice(0, 10);
  return { commit: await commit(root), date, machine: machineDescription(), load: loadAverage(), rate };
}

const fileOf = (root: string, size: RunOptions['size']): string =>
  join(root, 'reports', size === 'full' ? 'reliability.json' : `reliability-${size}.json`);

/** Those of this run, among those of earlier ones for the faults that it did not run. */
export async function resultsOf(
  root: string,
  fresh: readonly FaultResult[],
  { size, rate }: RunOptions,
  all: readonly Fault[],
): Promise<Results> {
  const before = await readReport<Results>(fileOf(root, size));
  const ran = await provenance(root, rate);
  const faults = new Map((before?.faults ?? []).map((each) => [each.id, each]));
  const first = fresh.at(-1);
  if (first !== undefined) faults.set(first.id, { ...first, ran });
  const missing = all.filter(({ id }) => !faults.has(id)).map(({ id, title }) => ({ id, title }));
  return { size, faults: [...faults.values()].sort((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1))), missing };
}

export async function writeResults(root: string, results: Results): Promise<void> {
  await mkdir(join(root, 'reports'), { recursive: true });
  await writeFile(fileOf(root, results.size), `${JSON.stringify(results, undefined, 2)}\n`);
  if (results.size === 'full') await writePage(root);
}

export async function writePage(root: string): Promise<void> {
  await writeFile(join(root, 'docs', 'reliability.md'), await pageOf(root));
}

export async function pageOf(root: string): Promise<string> {
  const results = await readReport<Results>(fileOf(root, 'full'));
  return reliabilityPage(results, await readReport<Soak>(join(root, 'reports', 'soak.json')));
}

async function readReport<Report>(file: string): Promise<Report | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Report);
}

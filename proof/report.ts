/** reports/reliability.json, and docs/reliability.md, which is made from it and from nothing else. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
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

/** The fresh one, among those on record. */
export async function resultsOf(
  root: string,
  fresh: FaultResult,
  { size, rate }: RunOptions,
  all: readonly Fault[],
): Promise<Results> {
  const before = await readReport<Results>(fileOf(root, size));
  const ran = await provenance(root, rate);
  const faults = new Map((before?.faults ?? []).map((each) => [each.id, each]));
  faults.set(fresh.id, { ...fresh, ran });
  const missing = all.filter(({ id }) => !faults.has(id)).map(({ id, title }) => ({ id, title }));
  return { size, faults: [...faults.values()].sort((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1))), missing };
}

export async function writeResults(root: string, results: Results): Promise<void> {
  await write(fileOf(root, results.size), results);
  if (results.size === 'full') await writePage(root);
}

export async function writeSoak(root: string, soak: Soak): Promise<void> {
  await write(join(root, 'reports', 'soak.json'), soak);
  await writePage(root);
}

async function write(file: string, report: Results | Soak): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(report, undefined, 2)}\n`);
}

async function writePage(root: string): Promise<void> {
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

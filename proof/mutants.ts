import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Role } from '../e2e/cluster.js';
import { PROJECT } from '../e2e/gateway.js';

/** A service as it is built but for these pieces of its text. */
export interface MutantProgram {
  role: Role;
  /** Of its file in dist/. */
  name: string;
  changes: readonly { file: string; from: string; to: string }[];
}

/** Returns the name of the program in dist/. Rejects where the product has other text by now. */
export async function buildMutant({ role, ...mutant }: MutantProgram): Promise<string> {
  const script = join(PROJECT, 'scripts', 'build-mutant.mjs');
  await promisify(execFile)(process.execPath, [script, JSON.stringify({ program: role, ...mutant })], { cwd: PROJECT });
  return `mutant-${mutant.name}`;
}

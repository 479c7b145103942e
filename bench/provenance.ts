/** Where figures come from: without it they mean nothing. */
import { execFile } from 'node:child_process';
import { loadavg } from 'node:os';
import { promisify } from 'node:util';
import { machineDescription } from './machine.js';

/** What runs write themselves: the figures of other runs are no change of what is measured. */
const FIGURES = ['reports', 'bench/results.md', 'docs/capacity.md', 'docs/reliability.md'];

/** Name and value, in the order in which they are told. `name` is the bench's, if it has one of its own. */
export async function provenance(root: string, versions: string, name = ''): Promise<[string, string][]> {
  const given = [...(name === '' ? [] : [name]), ...process.argv.slice(2).map(withoutLogin)];
  return [
    ['date', new Date().toISOString().slice(0, 10)],
    ['commit', await commit(root)],
    ['machine', machineDescription()],
    ['versions', versions],
    ['command', `\`${['npm run bench', ...(given.length > 0 ? ['--'] : []), ...given].join(' ')}\``],
  ];
}

function withoutLogin(argument: string): string {
  return argument.replace(/\/\/[^@/]*@/, '//…@');
}

/** Of the last minute. */
export function loadAverage(): string {
  return (loadavg()[0] ?? 0).toFixed(2);
}

/** Of the checkout, and whether anything but figures differs from it. */
export async function commit(root: string): Promise<string> {
  const git = async (...command: string[]) => (await promisify(execFile)('git', command, { cwd: root })).stdout.trim();
  try {
    const paths = ['--', '.', ...FIGURES.map((path) => `:(exclude)${path}`)];
    const isChanged = (await git('status', '--porcelain', '--untracked-files=no', ...paths)) !== '';
    return `${await git('rev-parse', '--short', 'HEAD')}${isChanged ? ' with changes' : ''}`;
  } catch {
    return 'unknown';
  }
}

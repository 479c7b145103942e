import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { GOAL_BYTES } from '../bench/key-memory-report.js';
import { withSection } from '../bench/results-page.js';
import { pageOf } from '../proof/report.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string): Promise<string> => readFile(join(ROOT, file), 'utf8');

test('docs/keys.md tells what a cached key takes as it was measured, and that is within the goal', async () => {
  const section = (await read('bench/results.md')).split('# What does a cached key take?')[1]?.split(/^# /m)[0] ?? '';
  const measured = [...section.matchAll(/^\| ([\d,]+) \| (\d+) \|/gm)].map(([, keys, bytes]) => ({ keys, bytes: Number(bytes) }));
  expect(measured.map(({ keys }) => keys)).toEqual(['100,000', '1,000,000']);
  const docs = await read('docs/keys.md');
  for (const { bytes } of measured) {
    expect(docs).toContain(`${bytes} bytes`);
    expect(bytes).toBeLessThanOrEqual(GOAL_BYTES);
  }
});

test('a bench puts its figures in the place of its old ones, and leaves those of the others', () => {
  const page = '# One?\n\nold\n## more\n\n# Two?\n\nkept\n';
  expect(withSection(page, '# One?\n\nnew\n')).toBe('# One?\n\nnew\n\n# Two?\n\nkept\n');
  expect(withSection(page, '# Three?\n\nnew\n')).toBe(`${page}\n# Three?\n\nnew\n`);
  expect(withSection('', '# One?\n')).toBe('# One?\n');
});

test('docs/reliability.md says what the reports say, and nothing else', async () => {
  expect(await read('docs/reliability.md')).toBe(await pageOf(ROOT));
});

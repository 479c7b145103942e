import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { GOAL_BYTES } from '../bench/key-memory-report.js';
import { withSection } from '../bench/results-page.js';
import { pageOf } from '../proof/report.js';
import { projectPaths } from './architecture/project-files.js';
import { capacityPage } from './pages/capacity-page.js';
import { bodyRows, section } from './pages/results.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string): Promise<string> => readFile(join(ROOT, file), 'utf8');

test('docs/keys.md tells what a cached key takes as it was measured, and that is within the goal', async () => {
  const rows = bodyRows(section(await read('bench/results.md'), 'What does a cached key take?'));
  const measured = rows.map(([keys, bytes]) => ({ keys, bytes: Number(bytes) }));
  expect(measured.map(({ keys }) => keys)).toEqual(['100,000', '1,000,000']);
  const docs = await read('docs/keys.md');
  for (const { bytes } of measured) {
    expect(docs).toContain(`${bytes} bytes`);
    expect(bytes).toBeLessThanOrEqual(GOAL_BYTES);
  }
});

test('docs/capacity.md is made of what was measured', async () => {
  await expect(capacityPage(await read('bench/results.md'))).toMatchFileSnapshot('../docs/capacity.md');
});

/** Paragraphs of a page that give bench/results.md as their source; a row of a table is one too. */
function paragraphsWithSource(page: string): string[] {
  return page.split(/\n\s*\n|\n(?=[-|] )/).filter((paragraph) => paragraph.includes('bench/results.md)'));
}

/** Numbers of three digits and more, without the commas. */
function figuresIn(text: string): string[] {
  return (text.match(/\d[\d,]*/g) ?? []).map((figure) => figure.replaceAll(',', '')).filter((figure) => figure.length > 2);
}

test('where a page gives the bench as its source, its figures are there', async () => {
  const measured = new Set(figuresIn(await read('bench/results.md')));
  const pages = projectPaths().filter((path) => /^(?:README\.md|docs\/[^/]+\.md)$/.test(path) && path !== 'docs/capacity.md');
  const paragraphs = (await Promise.all(pages.map(async (page) => paragraphsWithSource(await read(page))))).flat();
  expect(paragraphs.length).toBeGreaterThan(2);
  const prose = paragraphs.join('\n').replaceAll(/\]\([^)]*\)/g, ']');
  expect(figuresIn(prose).filter((figure) => !measured.has(figure))).toEqual([]);
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

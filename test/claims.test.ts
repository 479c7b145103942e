import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { readProjectFile } from './architecture/project-files.js';

const PAGE = 'docs/security-model.md';

interface Claim {
  file: string;
  /** Words of a test's title. */
  title: string;
}

/** `[name](../path.ts) *title*, *another title*`: each title with the file that is named before it. */
function claimsOf(text: string): Claim[] {
  return [...text.matchAll(/\]\(([^)]+\.ts)\)((?:,? ?\*[^*]+\*)+)/g)].flatMap(([, link = '', titles = '']) =>
    [...titles.matchAll(/\*([^*]+)\*/g)].map(([, title = '']) => ({ file: join(dirname(PAGE), link), title })),
  );
}

function isHeld({ file, title }: Claim): boolean {
  return readProjectFile(file).text.includes(title);
}

test('every claim of the security model names a test that is there', () => {
  const { text } = readProjectFile(PAGE);
  const rows = (text.split('| claim | test |')[1]?.split('\n\n')[0] ?? '').split('\n').filter((line) => /^\| [^-]/.test(line));
  expect(rows.length).toBeGreaterThan(10);
  expect(rows.filter((row) => claimsOf(row).length === 0)).toEqual([]);
  expect(claimsOf(text).filter((claim) => !isHeld(claim))).toEqual([]);
});

test('a claim whose test was renamed would be found', () => {
  const [claim] = claimsOf('[log](../packages/service-kit/test/log.test.ts) *a title that nobody wrote*');
  expect(claim).toBeDefined();
  expect(claim && isHeld(claim)).toBe(false);
});

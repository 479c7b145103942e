import { expect, test } from 'vitest';
import { allLicences, dependenciesPage, directDependencies, PERMISSIVE, REASONS } from './pages/dependencies-page.js';

test('every package that our programs need has a reason, and every reason its package', () => {
  expect(directDependencies().map(({ name }) => name)).toEqual(Object.keys(REASONS));
});

test('every licence is permissive, of what we name and of what comes with it', () => {
  const direct = directDependencies().map(({ name, licence }) => ({ name, licence }));
  expect(direct.filter(({ licence }) => !PERMISSIVE.has(licence))).toEqual([]);
  const withThem = allLicences();
  expect([...withThem].filter(([licence]) => !PERMISSIVE.has(licence))).toEqual([]);
  // The lockfile says of each what the package itself says.
  for (const { name, licence } of direct) expect(withThem.get(licence)).toContain(name);
});

test('docs/dependencies.md tells them all', async () => {
  await expect(dependenciesPage()).toMatchFileSnapshot('../docs/dependencies.md');
});

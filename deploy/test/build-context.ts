import { cp, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PROJECT, projectPaths, readProjectFile } from '../../test/architecture/project-files.js';

/** Copies what Docker would be sent of a fresh clone: every file of git, but for those that .dockerignore names. */
export async function copyBuildContext(folder: string): Promise<void> {
  const isIgnored = dockerIgnore(readProjectFile('.dockerignore').text);
  for (const path of projectPaths().filter((each) => !isIgnored(each))) {
    await mkdir(join(folder, dirname(path)), { recursive: true });
    await cp(join(PROJECT, path), join(folder, path), { verbatimSymlinks: true });
  }
}

/** Knows the two forms that the file uses, a path and a name at any depth, and refuses others. */
export function dockerIgnore(text: string): (path: string) => boolean {
  const patterns = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  for (const pattern of patterns) {
    if (!/^(\*\*\/)?[\w./-]+$/.test(pattern))
      throw new Error(`.dockerignore has a pattern that this test does not know: ${pattern}`);
  }
  const anywhere = new Set(patterns.filter((pattern) => pattern.startsWith('**/')).map((pattern) => pattern.slice(3)));
  const atRoot = patterns.filter((pattern) => !pattern.startsWith('**/'));
  return (path) =>
    path.split('/').some((segment) => anywhere.has(segment)) ||
    atRoot.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
}

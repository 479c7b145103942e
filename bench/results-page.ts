/** bench/results.md: one section for each question, so that one bench leaves the others' figures as they are. */
import { readFile, writeFile } from 'node:fs/promises';

/** Puts the section in the place of the one with the same title, or at the end. It begins with its title, `# …`. */
export async function writeSection(file: string, section: string): Promise<void> {
  const page = await readFile(file, 'utf8').catch(() => '');
  await writeFile(file, withSection(page, section));
}

/** The page with the section in it; each section ends with one empty line, but the last. */
export function withSection(page: string, section: string): string {
  const sections = sectionsOf(page);
  const title = titleOf(section);
  const at = sections.findIndex((each) => titleOf(each) === title);
  sections.splice(at === -1 ? sections.length : at, at === -1 ? 0 : 1, section);
  return `${sections.map((each) => each.trim()).join('\n\n')}\n`;
}

function sectionsOf(page: string): string[] {
  return page.split(/^(?=# )/m).filter((section) => section.trim() !== '');
}

function titleOf(section: string): string {
  return section.trim().split('\n', 1)[0] ?? '';
}

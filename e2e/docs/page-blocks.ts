import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../gateway.js';

/** A fenced block of a page. */
export interface Block {
  /** `README.md:25`: where it begins. */
  at: string;
  page: string;
  /** The words behind the fence: a language, and what the block is, such as `yaml rules`. */
  info: string;
  text: string;
  /** Why it is not run, of `<!-- not run: why -->` in the line before the fence. */
  notRun: string | undefined;
}

const FENCE = /^( *)(`{3,})(.*)$/;
const NOT_RUN = /^\s*<!-- not run: (.+?) -->\s*$/;

/** The fenced blocks of a page, in their order. Throws on one that does not end. */
export function blocksOf(page: string, text = readFileSync(join(PROJECT, page), 'utf8')): Block[] {
  const lines = text.split('\n');
  const blocks: Block[] = [];
  for (let index = 0; index < lines.length; index++) {
    const [, indent = '', fence, info = ''] = FENCE.exec(lines[index] ?? '') ?? [];
    if (fence === undefined) continue;
    const end = lines.findIndex((line, at) => at > index && line.trim() === fence);
    if (end === -1) throw new Error(`${page}:${index + 1}: a fenced block does not end`);
    const inside = lines.slice(index + 1, end).map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
    blocks.push({
      at: `${page}:${index + 1}`,
      page,
      info: info.trim(),
      text: inside.join('\n'),
      notRun: NOT_RUN.exec(lines[index - 1] ?? '')?.[1],
    });
    index = end;
  }
  return blocks;
}

export type Kind = 'session' | 'command' | 'routes' | 'rules' | 'envoy' | 'patches' | 'sql' | 'program' | 'json' | 'not run';

const KINDS: Record<string, Kind> = {
  'yaml routes': 'routes',
  'yaml rules': 'rules',
  'yaml envoy': 'envoy',
  'yaml patches': 'patches',
  sql: 'sql',
  js: 'program',
  json: 'json',
};

/** What can be done with a block; undefined where that cannot be told, and the block does not say that it is not run. */
export function kindOf({ info, text, notRun }: Block): Kind | undefined {
  if (notRun !== undefined) return 'not run';
  if (info !== '') return KINDS[info];
  if (text.startsWith('$ ')) return 'session';
  return /^tollgate \S.*$/.test(text) ? 'command' : undefined;
}

import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { QuotaCounter } from './quota-counter.js';

export interface QuotaFileOptions {
  /** Made where it is missing. One process at a time. */
  folder: string;
  /** Default 1,000. */
  intervalMs?: number;
  /** A sentence for the operator: a file that cannot be read or written never stops the counting. */
  onProblem: (problem: string, cause: unknown) => void;
}

export type SavedQuotas = [key: string, counter: QuotaCounter][];

export interface QuotaFile {
  load(): SavedQuotas;
  /** From now on, each interval in which something changed. */
  saveRegularly(current: () => SavedQuotas): void;
  changed(): void;
  /** Saves once more. */
  close(): Promise<void>;
}

/** `quotas.json`: version 1, counters as [key, used, startMs, endMs]. Replaced as a whole, so it is always old or new. */
export function openQuotaFile({ folder, intervalMs = 1_000, onProblem }: QuotaFileOptions): QuotaFile {
  const path = join(folder, 'quotas.json');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let current: (() => SavedQuotas) | undefined;
  let isChanged = false;
  let writing = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const save = async (): Promise<void> => {
    if (!isChanged || current === undefined) return;
    isChanged = false;
    try {
      await replaceFile(path, serialized(current()));
    } catch (cause) {
      isChanged = true; // tried again in the next interval
      onProblem(`could not save quota counters to ${path}: a restart now would forget what was used since the last save`, cause);
    }
  };
  const saveSoon = (): void => {
    timer = setTimeout(() => {
      writing = save().then(saveSoon);
    }, intervalMs).unref();
  };

  return {
    load() {
      const text = readIfThere(path);
      if (text === undefined) return [];
      try {
        return parsed(text);
      } catch (cause) {
        const aside = `${path}.corrupt`;
        renameSync(path, aside);
        onProblem(`quota counters begin at 0: the saved ones cannot be read and were put aside as ${aside}`, cause);
        return [];
      }
    },
    saveRegularly(source) {
      current = source;
      saveSoon();
    },
    changed() {
      isChanged = true;
    },
    async close() {
      clearTimeout(timer);
      await writing;
      clearTimeout(timer); // the save that was under way has set it once more
      await save();
    },
  };
}

async function replaceFile(path: string, text: string): Promise<void> {
  const next = `${path}.next`;
  const file = await open(next, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync(); // else a power cut may leave the new name with no content
  } finally {
    await file.close();
  }
  await rename(next, path);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function serialized(quotas: SavedQuotas): string {
  const counters = quotas.map(([key, { used, startMs, endMs }]) => [key, used, startMs, endMs]);
  return `${JSON.stringify({ version: 1, counters })}\n`;
}

function parsed(text: string): SavedQuotas {
  const content = JSON.parse(text) as { version?: unknown; counters?: unknown } | null;
  if (content?.version !== 1 || !Array.isArray(content.counters)) throw new Error('not a file of quota counters, version 1');
  return content.counters.map((row: unknown): SavedQuotas[number] => {
    if (!Array.isArray(row) || row.length !== 4 || typeof row[0] !== 'string' || !row.slice(1).every(isCount))
      throw new Error(`not a quota counter: ${JSON.stringify(row)}`);
    const [key, used, startMs, endMs] = row as [string, number, number, number];
    return [key, { used, startMs, endMs }];
  });
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

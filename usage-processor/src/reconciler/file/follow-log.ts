import { type FileHandle, open, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { LogFile, WitnessLog } from '../witness-log.js';
import { fileIdOf, linesFrom } from './file-lines.js';

interface Place {
  kept: number;
  read: number;
  /** When it was seen last, and when all of it was read. */
  sizeBytes: number;
  endBytes: number;
  /** Looks in a row that did not find the file. */
  misses: number;
}

const COMPRESSED = /\.(gz|zst|bz2|xz)$/;
/** A file may be renamed between the look into the folder and the look into the file. */
const MISSES_UNTIL_GONE = 3;

/**
 * Follows a log and the files into which it was rotated: all whose names begin with its own. `kept` is how far each was
 * checked in an earlier life. Where one is gone before it was read, `onLost` hears how many bytes that were.
 */
export function followLog(path: string, kept: ReadonlyMap<string, number>, onLost: (bytes: number) => void): WitnessLog {
  const places = new Map<string, Place>();
  const placeOf = (fileId: string): Place => {
    const offset = kept.get(fileId) ?? 0;
    const place = places.get(fileId) ?? { kept: offset, read: offset, sizeBytes: 0, endBytes: -1, misses: 0 };
    places.set(fileId, place);
    return place;
  };
  const files = async () => {
    const found = await logFiles(path);
    for (const { fileId, sizeBytes } of found) placeOf(fileId).sizeBytes = sizeBytes;
    return found;
  };

  return {
    files,
    keptOffset: (fileId) => placeOf(fileId).kept,
    isDone: ({ fileId, sizeBytes }) => {
      const place = places.get(fileId);
      return place !== undefined && place.endBytes === sizeBytes && place.kept === place.read;
    },
    async read({ line, readTo, isFull }) {
      const found = await files();
      noteGone(places, new Set(found.map(({ fileId }) => fileId)), onLost);
      for (const { path: each, fileId, sizeBytes } of found) {
        const place = placeOf(fileId);
        await withLog(each, fileId, async (file) => {
          for await (const { lines, nextOffset } of linesFrom(file, place.read)) {
            for (const one of lines) line(one);
            place.read = nextOffset;
            readTo(fileId, nextOffset);
            if (isFull()) return;
          }
          place.endBytes = sizeBytes;
        });
        if (isFull()) return false;
      }
      return true;
    },
    async reread(visit) {
      for (const { path: each, fileId } of await files()) {
        const place = placeOf(fileId);
        if (place.read === place.kept) continue;
        await withLog(each, fileId, async (file) => {
          for await (const { lines } of linesFrom(file, place.kept, place.read)) await visit(lines);
        });
      }
    },
    keep(offsets) {
      for (const [fileId, offset] of offsets) placeOf(fileId).kept = offset;
    },
  };
}

async function logFiles(path: string): Promise<LogFile[]> {
  const [folder, name] = [dirname(path), basename(path)];
  const names = (await readdir(folder)).filter(
    (each) => each === name || (each.startsWith(`${name}.`) && !COMPRESSED.test(each)),
  );
  const byId = new Map<string, LogFile>();
  for (const each of names) {
    const file = await logFileAt(join(folder, each));
    // While a log is copied to be emptied, it is there twice.
    if (file !== undefined && file.sizeBytes > (byId.get(file.fileId)?.sizeBytes ?? -1)) byId.set(file.fileId, file);
  }
  return [...byId.values()].sort((a, b) => Number(a.path === path) - Number(b.path === path) || a.changedMs - b.changedMs);
}

async function logFileAt(path: string): Promise<LogFile | undefined> {
  const file = await open(path, 'r').catch(ignoreMissing);
  try {
    const stats = await file?.stat();
    if (file === undefined || stats === undefined || !stats.isFile()) return undefined;
    const fileId = await fileIdOf(file);
    return fileId === undefined ? undefined : { path, fileId, sizeBytes: stats.size, changedMs: stats.mtimeMs };
  } finally {
    await file?.close();
  }
}

/** The name may stand for another file by now: then nothing is read, and the next look finds it under its new name. */
async function withLog(path: string, fileId: string, work: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, 'r').catch(ignoreMissing);
  try {
    if (file !== undefined && (await fileIdOf(file)) === fileId) await work(file);
  } finally {
    await file?.close();
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

function noteGone(places: Map<string, Place>, found: ReadonlySet<string>, onLost: (bytes: number) => void): void {
  for (const [fileId, place] of places) {
    place.misses = found.has(fileId) ? 0 : place.misses + 1;
    if (place.misses < MISSES_UNTIL_GONE) continue;
    if (place.misses === MISSES_UNTIL_GONE && place.sizeBytes > place.read) onLost(place.sizeBytes - place.read);
    // What was read of it and not kept yet can no longer be replayed, but it can still be compared.
    if (place.kept === place.read) places.delete(fileId);
  }
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFileEventLogReader } from '../../src/file/file-event-log-reader.js';
import { openFileEventLogWriter } from '../../src/file/file-event-log-writer.js';
import { eventLogBehaves } from '../event-log-behaves.js';
import { appendRecord } from './a-log-folder.js';

for (const { name, segmentBytes } of [
  { name: 'file log', segmentBytes: 64 << 20 },
  { name: 'file log in small segments', segmentBytes: 2000 },
]) {
  eventLogBehaves(name, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'event-log-'));
    const clear = () => rm(folder, { recursive: true, force: true });
    return {
      openWriter: () => openFileEventLogWriter({ folder, segmentBytes }),
      createReader: () => createFileEventLogReader({ folder, group: 'test', pollMs: 5, maxBatch: 10 }),
      appendRaw: (bytes) => appendRecord(folder, bytes),
      makeAnew: clear,
      close: clear,
    };
  });
}

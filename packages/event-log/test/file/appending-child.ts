/** Appends events with growing numbers until it is killed, and prints each number once its append has resolved. */
import { writeSync } from 'node:fs';
import { openFileEventLogWriter } from '../../src/file/file-event-log-writer.js';
import { anEvent } from '../an-event.js';

const [folder = '', mode, first] = process.argv.slice(2);
const writer = await openFileEventLogWriter({ folder, segmentBytes: 20_000 });
let next = Number(first);

/** At once and not from a buffer, so that what was said is said even when the next instruction is a kill. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }
}

async function appendOn(): Promise<void> {
  for (;;) {
    const number = next++;
    await writer.append([anEvent(number)]);
    say(String(number));
  }
}

/** Acknowledges before the log has: the test that counts must notice. */
function acknowledgeTooEarly(): void {
  for (let number = 0; number < 50; number += 1) {
    void writer.append([anEvent(number)]);
    say(String(number));
  }
  process.kill(process.pid, 'SIGKILL');
}

try {
  if (mode === 'mutant') acknowledgeTooEarly();
  await Promise.all(Array.from({ length: 8 }, appendOn));
} catch (error) {
  say(`failed ${error instanceof Error && 'code' in error ? error.code : error}`);
  await writer.close().catch(() => {});
}

import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { askToConfirm, readSecretLine, type Terminal } from '../src/terminal.js';

/** A person at a terminal who types this. */
function terminalOf(typed: string): { terminal: Terminal; shown: () => string } {
  const [stdin, stderr] = [new PassThrough(), new PassThrough()].map((stream) => Object.assign(stream, { isTTY: true }));
  let shown = '';
  stderr?.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    // Answers when asked, as people do.
    if (typed !== '') stdin?.write(typed);
    typed = '';
  });
  return { terminal: { stdin, stderr } as unknown as Terminal, shown: () => shown };
}

test.each(['y\r', 'Y\r', 'yes\r', ' yes \r'])('the answer %j confirms', async (typed) => {
  const { terminal, shown } = terminalOf(typed);
  await expect(askToConfirm(terminal, 'Revoke it?')).resolves.toBeUndefined();
  expect(shown()).toContain('Revoke it? [y/N]');
});

test.each(['\r', 'n\r', 'yess\r', 'no\r', '\u0003', '\u0004'])('the answer %j does not', async (typed) => {
  await expect(askToConfirm(terminalOf(typed).terminal, 'Revoke it?')).rejects.toMatchObject({ code: 'cancelled', exitCode: 1 });
});

test('a key that is typed is not shown', async () => {
  const { terminal, shown } = terminalOf('sk_live_typed\r');
  expect(await readSecretLine(terminal, 'Paste it:')).toBe('sk_live_typed');
  expect(shown()).toBe('Paste it: \n');
});

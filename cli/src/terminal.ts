import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { CliError, EXIT, wrongUse } from './cli-error.js';
import { plain } from './printable.js';

/** What is needed of `process`. */
export interface Terminal {
  stdin: NodeJS.ReadStream;
  stderr: NodeJS.WriteStream;
}

const MAX_LINE_BYTES = 4_096;

/** True where a person sits at both ends. */
export function isInteractive({ stdin, stderr }: Terminal): boolean {
  return stdin.isTTY === true && stderr.isTTY === true;
}

/** Shows how far something is, on one line that is written anew; shows nothing where no person looks. */
export function showProgress({ stderr }: Pick<Terminal, 'stderr'>, text: string): void {
  if (stderr.isTTY === true) stderr.write(`\r${plain(text)}\u001b[K${text === '' ? '' : ' '}`);
}

/** Asks on stderr, since stdout is for data. Anything but y or yes is a no. */
export async function askToConfirm(terminal: Terminal, question: string): Promise<void> {
  const answer = await askLine(terminal, `${question} [y/N] `, terminal.stderr);
  if (!/^y(es)?$/i.test(answer.trim())) throw cancelled();
}

/** The line from a pipe, or typed by a person and not shown. */
export async function readSecretLine(terminal: Terminal, question: string): Promise<string> {
  if (!isInteractive(terminal)) return (await readPiped(terminal.stdin)).trim();
  terminal.stderr.write(`${question} `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return (await askLine(terminal, '', silent)).trim();
  } finally {
    terminal.stderr.write('\n');
  }
}

function askLine({ stdin }: Terminal, question: string, output: NodeJS.WritableStream): Promise<string> {
  const lines = createInterface({ input: stdin, output, terminal: true, historySize: 0 });
  return new Promise<string>((resolve, reject) => {
    // Ctrl-C and Ctrl-D close it without an answer.
    lines.once('close', () => reject(cancelled()));
    lines.question(question, resolve);
  }).finally(() => lines.close());
}

async function readPiped(stdin: NodeJS.ReadStream): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    chunks.push(Buffer.from(chunk));
    bytes += chunks.at(-1)?.length ?? 0;
    if (bytes > MAX_LINE_BYTES) throw wrongUse(`What came by stdin is longer than ${MAX_LINE_BYTES} bytes.`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function cancelled(): CliError {
  return new CliError('cancelled', EXIT.failed, 'Cancelled: nothing was changed.');
}

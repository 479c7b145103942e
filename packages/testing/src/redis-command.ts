import { once } from 'node:events';
import { connect } from 'node:net';

const REPLY_DEADLINE_MS = 5_000;

/** One command to a Redis of this machine that wants no password, and its reply as text. Throws where the reply is an error. */
export function redisCommand(port: number, ...command: readonly string[]): Promise<string> {
  return redisCommandAt('127.0.0.1', port, ...command);
}

/** The same to a Redis elsewhere. */
export async function redisCommandAt(host: string, port: number, ...command: readonly string[]): Promise<string> {
  const socket = connect({ host, port });
  const signal = AbortSignal.timeout(REPLY_DEADLINE_MS);
  try {
    await once(socket, 'connect', { signal });
    socket.write(`*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`);
    let received = '';
    for (;;) {
      const [chunk] = await once(socket, 'data', { signal });
      received += String(chunk);
      const reply = wholeReply(received);
      if (reply?.startsWith('-')) throw new Error(`${command.join(' ')}: ${reply.slice(1)}`);
      if (reply !== undefined) return reply;
    }
  } finally {
    socket.destroy();
  }
}

/** A line, or the text of a bulk string (nothing: none); undefined until it has arrived whole. An error keeps its `-`. */
function wholeReply(received: string): string | undefined {
  const end = received.indexOf('\r\n');
  if (end < 0) return undefined;
  const line = received.slice(0, end);
  if (line.startsWith('-')) return line;
  if (!line.startsWith('$')) return line.slice(1);
  const text = received.slice(end + 2);
  if (line === '$-1') return '';
  return text.length >= Number(line.slice(1)) + 2 ? text.slice(0, -2) : undefined;
}

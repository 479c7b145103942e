import { once } from 'node:events';
import { connect } from 'node:net';

/** A Redis has 16 databases unless told otherwise: each of up to two test processes goes round in its own half. */
const DATABASES_OF_A_PROCESS = 8;
const REPLY_DEADLINE_MS = 5_000;
let taken = 0;

/** Empties the next numbered database of a Redis that was started by somebody else, and returns its URL. */
export async function flushedDatabase(redisUrl: string): Promise<string> {
  const url = new URL(redisUrl);
  const half = Number(process.env['VITEST_POOL_ID'] ?? 1) % 2;
  const number = half * DATABASES_OF_A_PROCESS + (taken++ % DATABASES_OF_A_PROCESS);
  const credentials = [url.username, url.password].filter((part) => part !== '').map(decodeURIComponent);
  const login = credentials.length === 0 ? [] : [['AUTH', ...credentials]];
  await send(url, [...login, ['SELECT', String(number)], ['FLUSHDB']]);
  url.pathname = `/${number}`;
  return url.href;
}

async function send(url: URL, commands: readonly (readonly string[])[]): Promise<void> {
  const socket = connect({ host: url.hostname, port: Number(url.port || 6379) });
  const signal = AbortSignal.timeout(REPLY_DEADLINE_MS);
  try {
    await once(socket, 'connect', { signal });
    for (const command of commands) {
      socket.write(`*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`);
      const [reply] = await once(socket, 'data', { signal });
      if (!String(reply).startsWith('+OK'))
        throw new Error(`TEST_REDIS_URL: ${command[0]} was answered with ${String(reply).trim()}`);
    }
  } finally {
    socket.destroy();
  }
}

import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface RedisFacts {
  version: string | undefined;
  /** Undefined where Redis does not tell. */
  maxmemoryPolicy: string | undefined;
}

const DEADLINE_MS = 3_000;
const MAX_REPLY_BYTES = 256 * 1024;
const DEFAULT_PORT = 6379;

/** Asks Redis once what it is. Throws, in words without the password, where it does not answer within three seconds. */
export async function readRedisFacts(url: string): Promise<RedisFacts> {
  const { protocol, hostname, port, username, password } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const address = { host, port: port === '' ? DEFAULT_PORT : Number(port) };
  const socket = protocol === 'rediss:' ? connectTls({ ...address, servername: host }) : connectTcp(address);
  const user = username === '' ? [] : [decodeURIComponent(username)];
  const commands = [...(password === '' ? [] : [['AUTH', ...user, decodeURIComponent(password)]]), ['INFO'], ['QUIT']];
  try {
    const reply = await exchange(socket, commands.map(encode).join(''));
    const refusal = /^-(.*)\r$/m.exec(reply)?.[1];
    if (refusal !== undefined) throw new Error(`it refuses: ${refusal}`);
    return { version: infoField(reply, 'redis_version'), maxmemoryPolicy: infoField(reply, 'maxmemory_policy') };
  } finally {
    socket.destroy();
  }
}

/** Sends all and collects the answer until Redis, told to quit, closes the connection. */
function exchange(socket: Socket, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let reply = '';
    socket.setTimeout(DEADLINE_MS, () => reject(new Error(`no answer within ${DEADLINE_MS / 1_000} s`)));
    socket.once('error', (error: NodeJS.ErrnoException) => reject(new Error(error.code ?? error.message)));
    socket.once('end', () => resolve(reply));
    socket.on('data', (chunk) => {
      reply += chunk.toString('utf8');
      if (reply.length > MAX_REPLY_BYTES) reject(new Error('it answers without end'));
    });
    socket.write(request);
  });
}

/** A command in Redis's own form, which no argument can break out of. */
function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

function infoField(reply: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*)\\r$`, 'm').exec(reply)?.[1];
}

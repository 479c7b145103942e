import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * `pass`: as if it were not there. `mute`: notifications are swallowed, all else passes. `hold`: connections that follow
 * changes stay open and carry nothing, in either direction; the others pass.
 */
export type ProxyMode = 'pass' | 'mute' | 'hold';

export interface PostgresProxy {
  /** The database's URL by way of the proxy. */
  url: string;
  set(mode: ProxyMode): void;
  /** Notifications that were swallowed so far. */
  muted(): number;
  close(): Promise<void>;
}

const NOTIFICATION = 'A'.charCodeAt(0);
const HEADER_BYTES = 5;
const FOLLOWS_CHANGES = /application_name\0[^\0]* changes\0/;

/** A way to PostgreSQL that can go wrong silently, as a broken pooler or a lossy network does. */
export async function startPostgresProxy(databaseUrl: string): Promise<PostgresProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let mode: ProxyMode = 'pass';
  let muted = 0;

  const server = createServer((client) => {
    const database = connect({ host: target.hostname, port: Number(target.port || 5432) });
    for (const [socket, other] of [
      [client, database],
      [database, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    let isFeed: boolean | undefined;
    const isHeld = () => mode === 'hold' && isFeed === true;
    client.on('data', (chunk: Buffer) => {
      isFeed ??= FOLLOWS_CHANGES.test(chunk.toString('latin1'));
      if (!isHeld()) database.write(chunk);
    });
    const withoutNotifications = messageFilter((type) => {
      if (type !== NOTIFICATION || mode !== 'mute') return true;
      muted++;
      return false;
    });
    database.on('data', (chunk: Buffer) => {
      const passed = withoutNotifications(chunk);
      if (!isHeld() && passed.length > 0) client.write(passed);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    set: (next) => {
      mode = next;
    },
    muted: () => muted,
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** Cuts a stream of PostgreSQL's messages into whole ones, and leaves those out whose type is not wanted. */
function messageFilter(isWanted: (type: number) => boolean): (chunk: Buffer) => Buffer {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const wanted: Buffer[] = [];
    while (rest.length >= HEADER_BYTES) {
      const end = 1 + rest.readUInt32BE(1);
      if (rest.length < end) break;
      if (isWanted(rest[0] as number)) wanted.push(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
    return Buffer.concat(wanted);
  };
}

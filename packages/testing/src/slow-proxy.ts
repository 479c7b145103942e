import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface SlowProxy {
  /** The server's URL by way of the proxy. */
  url: string;
  /** How much later everything arrives from now on, in each direction half of it. */
  slow(delayMs: number): void;
  /** Connections that were made to it so far. */
  connections(): number;
  close(): Promise<void>;
}

/**
 * A way to a server on which everything takes longer, in its order, as over a long or busy line. `onSent` sees what clients
 * send, as it comes.
 */
export async function startSlowProxy(serverUrl: string, onSent: (chunk: Buffer) => void = () => {}): Promise<SlowProxy> {
  const target = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let delayMs = 0;
  let connections = 0;
  const server = createServer((client) => {
    connections++;
    const backend = connect({ host: target.hostname, port: Number(target.port) });
    client.on('data', onSent);
    for (const [from, to] of [
      [client, backend],
      [backend, client],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      // What comes after the line has become quicker does not overtake what is under way.
      let before = Promise.resolve();
      from.on('data', (chunk) => {
        const arrival = delay(delayMs / 2);
        before = before.then(() => arrival).then(() => void to.write(chunk));
      });
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(serverUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href.replace(/\/$/, ''),
    slow: (ms) => {
      delayMs = ms;
    },
    connections: () => connections,
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

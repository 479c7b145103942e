import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { formatListenAddress, type ListenAddress } from '@tollgate/service-kit/listen-address';

export interface DemoUpstream {
  /** As settings spell it, with the port that was picked. */
  address: string;
  close(): Promise<void>;
}

/**
 * The API behind the gateway where the user names none: it answers what reached it, so that a newcomer sees which headers
 * the gateway adds and that the key is not among them. `/status/404` answers with that status.
 */
export async function startDemoUpstream(listen: ListenAddress): Promise<DemoUpstream> {
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const status = Number(/^\/status\/([2-5]\d\d)\b/.exec(path)?.[1] ?? 200);
    request.resume();
    request.on('end', () => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(
        `${JSON.stringify({ message: 'Hello from the demo upstream.', method: request.method, path, headers: request.headers }, null, 2)}\n`,
      );
    });
  });
  server.listen(listen.kind === 'unix' ? { path: listen.path } : { host: listen.host, port: listen.port });
  await once(server, 'listening');
  const bound = listen.kind === 'unix' ? listen : { ...listen, port: (server.address() as AddressInfo).port };
  return {
    address: formatListenAddress(bound),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

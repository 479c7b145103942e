import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface DemoUpstream {
  url: string;
  close(): Promise<void>;
}

/**
 * The API behind the gateway where the user names none: it answers what reached it, so that a newcomer sees which headers
 * the gateway adds and that the key is not among them. `/status/404` answers with that status.
 */
export async function startDemoUpstream(): Promise<DemoUpstream> {
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
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  rawTrailers: string[];
  body: string;
}

export type Behaviour = (request: IncomingMessage, response: ServerResponse) => void;

/** An API behind the gateway that does what a test tells it, and remembers what reached it. */
export interface Upstream {
  url: string;
  /** Whole requests, in the order of their ends. */
  received: Received[];
  /** The last one for this path, without its query. Throws where there is none. */
  last(path: string): Received;
  /** What to do for a path, without its query; `200 ok` where nothing was said. Called when the request has arrived whole. */
  on(path: string, behaviour: Behaviour): void;
  /** Nobody listens any more, until `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function startUpstream(keeps: (received: Received) => boolean = () => true): Promise<Upstream> {
  const behaviours = new Map<string, Behaviour>();
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      const { method = '', url = '', headers, rawHeaders, rawTrailers } = request;
      const whole = { method, path: url, headers, rawHeaders, rawTrailers, body: Buffer.concat(chunks).toString() };
      if (keeps(whole)) received.push(whole);
      const behaviour = behaviours.get(pathOf(url)) ?? sayOk;
      behaviour(request, response);
    });
  });
  // Envoy keeps connections for longer than Node would: a request on one that closes just then would be a chance 503.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const stop = async () => {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    last(path) {
      const found = received.findLast((request) => pathOf(request.path) === path);
      if (found === undefined) throw new Error(`nothing for ${path} reached the upstream`);
      return found;
    },
    on: (path, behaviour) => behaviours.set(path, behaviour),
    stop,
    start: async () => {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
    close: stop,
  };
}

function sayOk(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '';
}

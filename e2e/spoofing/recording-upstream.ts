import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createHttp2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Fields } from './spoofing-case.js';

/** A request as it arrived, with nothing merged, renamed or left out. */
export interface Arrived {
  protocol: 'http/1.1' | 'http/2';
  method: string;
  path: string;
  headers: Fields;
  trailers: Fields;
}

export interface RecordingUpstream {
  url: string;
  grpcUrl: string;
  /** In the order of their ends. */
  arrived: Arrived[];
  /** Every byte of HTTP/1.1, every field and every body of HTTP/2, in pieces as they came. */
  heard: string[];
  close(): Promise<void>;
}

/** Two APIs that say `ok` to everything and keep all that they hear: one speaks HTTP/1.1, the other HTTP/2. */
export async function startRecordingUpstream(): Promise<RecordingUpstream> {
  const arrived: Arrived[] = [];
  const heard: string[] = [];
  const http1 = startHttp1(arrived, heard);
  const http2 = startHttp2(arrived, heard);
  await Promise.all([once(http1, 'listening'), once(http2, 'listening')]);
  const portOf = (server: typeof http1 | typeof http2) => (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${portOf(http1)}`,
    grpcUrl: `grpc://127.0.0.1:${portOf(http2)}`,
    arrived,
    heard,
    close: async () => {
      http1.close();
      http1.closeAllConnections();
      http2.close();
    },
  };
}

function startHttp1(arrived: Arrived[], heard: string[]) {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      arrived.push(arrivedOver1(request));
      response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
    });
  });
  server.on('connection', (socket) => {
    socket.on('data', (chunk: Buffer) => heard.push(chunk.toString('latin1')));
  });
  for (const event of ['upgrade', 'connect'] as const) {
    server.on(event, (request, socket) => {
      arrived.push(arrivedOver1(request));
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    });
  }
  // Envoy keeps connections for longer than Node would: a request on one that closes just then would be a chance 503.
  server.keepAliveTimeout = 0;
  return server.listen(0, '127.0.0.1');
}

function arrivedOver1({ method = '', url = '', rawHeaders, rawTrailers }: IncomingMessage): Arrived {
  return { protocol: 'http/1.1', method, path: url, headers: paired(rawHeaders), trailers: paired(rawTrailers) };
}

function startHttp2(arrived: Arrived[], heard: string[]) {
  const server = createHttp2Server();
  // The types do not know the last argument.
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, rawHeaders: string[]) => {
    heard.push(rawHeaders.join('\n'));
    let trailers: string[] = [];
    stream.on('trailers', (_trailers: IncomingHttpHeaders, _flags: number, rawTrailers: string[]) => {
      trailers = rawTrailers;
      heard.push(rawTrailers.join('\n'));
    });
    stream.on('data', (chunk: Buffer) => heard.push(chunk.toString('latin1')));
    stream.on('end', () => {
      arrived.push({
        protocol: 'http/2',
        method: headers[':method'] ?? '',
        path: headers[':path'] ?? '',
        headers: paired(rawHeaders),
        trailers: paired(trailers),
      });
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end('ok');
    });
    stream.on('error', () => {});
  });
  return server.listen(0, '127.0.0.1');
}

function paired(raw: readonly string[]): Fields {
  return raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1] ?? ''] as const] : []));
}

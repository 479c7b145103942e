import { request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { createConnection } from 'node:net';

const DEADLINE_MS = 30_000;

export interface Request {
  method?: string;
  /** As they stand on the wire: a list of name, value, name, value … sends names again and in their own case. */
  headers?: OutgoingHttpHeaders | readonly string[];
  body?: string | Buffer;
  signal?: AbortSignal;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Name, value, name, value …, each as often as it arrived. */
  rawHeaders: string[];
  body: string;
  /** When the whole body had arrived. */
  atMs: number;
}

/** One request on a connection of its own. Rejects where no whole answer arrives. */
export function ask(url: string, { method = 'GET', headers = {}, body, signal }: Request = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    const request = httpRequest(url, {
      method,
      // The types know no flat list.
      headers: headers as OutgoingHttpHeaders,
      agent: false,
      signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          rawHeaders: response.rawHeaders,
          body: Buffer.concat(chunks).toString(),
          atMs: Date.now(),
        });
      });
    });
    request.end(body);
  });
}

/** Writes these very bytes on a new connection, and returns all that comes back until the gateway closes it. */
export function askRaw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = createConnection({ host: hostname, port: Number(port) }, () => socket.write(bytes, 'latin1'));
    socket.setTimeout(DEADLINE_MS, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  });
}

import { createConnection } from 'node:net';
import type { Ordinary } from './spoofing-case.js';

const DEADLINE_MS = 5_000;

/** What came back on a connection, until the gateway closed it. */
export interface Reply {
  /** `200`, `401 missing_api_key`, and several parted by commas. */
  seen: string;
  /** All of it, as readable as it can be. */
  text: string;
}

/** An ordinary request, written by hand so that nothing tidies it. A body goes in chunks where trailers follow. */
export function sendHttp1(gatewayUrl: string, { method, path, headers, body, trailers }: Ordinary): Promise<Reply> {
  const hasHost = headers.some(([name]) => name.toLowerCase() === 'host');
  const hasConnection = headers.some(([name]) => name.toLowerCase() === 'connection');
  const lines = [
    `${method} ${path} HTTP/1.1`,
    ...(hasHost ? [] : ['Host: api.example.com']),
    ...(hasConnection ? [] : ['Connection: close']),
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  if (trailers === undefined) {
    if (body !== undefined) lines.push(`Content-Length: ${Buffer.byteLength(body, 'latin1')}`);
    return sendBytes(gatewayUrl, `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`);
  }
  const chunk = body ?? 'hi';
  const end = trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  lines.push('Transfer-Encoding: chunked');
  return sendBytes(gatewayUrl, `${lines.join('\r\n')}\r\n\r\n${chunk.length.toString(16)}\r\n${chunk}\r\n0\r\n${end}\r\n`);
}

/** These bytes (a character each) on a new connection. `silence` is what is seen where nothing comes and nothing is closed. */
export function sendBytes(gatewayUrl: string, bytes: string): Promise<Reply> {
  const { hostname, port } = new URL(gatewayUrl);
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = createConnection({ host: hostname, port: Number(port) }, () => socket.write(bytes, 'latin1'));
    const settle = (ending: string) => {
      socket.destroy();
      const text = Buffer.concat(chunks).toString('latin1');
      resolve({ seen: seenIn(text) || ending, text });
    };
    socket.setTimeout(DEADLINE_MS, () => settle('silence'));
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (isLastAnswer(Buffer.concat(chunks).toString('latin1'))) settle('refused');
    });
    socket.on('error', () => settle('refused'));
    socket.on('close', () => settle('refused'));
  });
}

/** Envoy closes a second later where it refuses; nothing more comes until then. */
function isLastAnswer(text: string): boolean {
  const last = answersIn(text).at(-1) ?? '';
  const end = last.indexOf('\r\n\r\n') + 4;
  const head = last.slice(0, end);
  const length = /^content-length: (\d+)\r$/im.exec(head)?.[1];
  return /^connection: close\r$/im.test(head) && length !== undefined && last.length - end >= Number(length);
}

function answersIn(text: string): string[] {
  return text.split(/(?=HTTP\/1\.[01] \d{3} )/).filter((answer) => answer !== '');
}

function seenIn(text: string): string {
  return answersIn(text)
    .map((answer) => statusAndCode(answer.slice(9, 12), answer))
    .join(', ');
}

export function statusAndCode(status: string, body: string): string {
  const code = /"code":"(\w+)"/.exec(body)?.[1];
  return code === undefined ? status : `${status} ${code}`;
}

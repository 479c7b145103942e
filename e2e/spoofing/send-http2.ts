import { connect, type OutgoingHttpHeaders } from 'node:http2';
import { type Reply, statusAndCode } from './send-http1.js';
import type { Fields, Ordinary } from './spoofing-case.js';

const DEADLINE_MS = 5_000;

/** An ordinary request over HTTP/2 without TLS, on a connection of its own. */
export function sendHttp2(gatewayUrl: string, { method, path, headers, body, trailers }: Ordinary): Promise<Reply> {
  return new Promise((resolve) => {
    const session = connect(gatewayUrl);
    session.setTimeout(DEADLINE_MS, () => settle('silence'));
    let answer: Record<string, unknown> = {};
    let text = '';
    const settle = (ending: string) => {
      session.destroy();
      const status = answer[':status'];
      resolve({
        seen: status === undefined ? ending : statusAndCode(String(status), text),
        text: `${JSON.stringify(answer)}${text}`,
      });
    };
    session.on('error', () => settle('refused'));
    const stream = session.request(
      { ':method': method, ':path': path, ':authority': 'api.example.com', ...asObject(headers) },
      { endStream: false, waitForTrailers: trailers !== undefined },
    );
    stream.on('wantTrailers', () => stream.sendTrailers(asObject(trailers ?? [])));
    stream.on('response', (received) => {
      answer = { ...received };
    });
    stream.on('trailers', (received) => {
      answer = { ...answer, ...received };
    });
    stream.setEncoding('latin1');
    stream.on('data', (chunk: string) => {
      text += chunk;
    });
    stream.on('error', () => settle('refused'));
    stream.on('close', () => settle('refused'));
    stream.end(body);
  });
}

/** A name that is sent more than once has a list. */
function asObject(fields: Fields): OutgoingHttpHeaders {
  const object: Record<string, string | string[]> = {};
  for (const [name, value] of fields) {
    const earlier = object[name.toLowerCase()];
    object[name.toLowerCase()] = earlier === undefined ? value : [earlier, value].flat();
  }
  return object;
}

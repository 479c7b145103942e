/** Asks a gRPC service at a fixed rate, whatever it does: a call that is due is sent, and its time runs from when it was due. */
import { connect } from 'node:http2';

/** Not by a gRPC library: the time that a client of its own takes would be taken for the service's. */
const PREFIX_BYTES = 5;
const NO_ANSWER = new Error('the call ended without an answer');
/** As Envoy waits for us, about. */
const DEADLINE_MS = 1_000;

export interface UnaryClient {
  /** Calls so many times; `onAnswer` gets each answer's message, the time it took, and the time since the beginning. */
  ask(perSecond: number, seconds: number, onAnswer: OnAnswer): Promise<AskedCalls>;
  close(): void;
}

export interface AskedCalls {
  calls: number;
  errors: number;
  /** The longest that this program itself sent a call late. */
  latestMs: number;
}

type OnAnswer = (answer: Buffer, tookMs: number, sinceMs: number) => void;

/** `address` is a host and port, or `unix:` and a path; the messages take turns. */
export function createUnaryClient(address: string, path: string, messages: readonly Uint8Array[]): UnaryClient {
  const isUnix = address.startsWith('unix:');
  const session = isUnix ? connect('http://localhost', { path: address.slice('unix:'.length) }) : connect(`http://${address}`);
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const bodies = messages.map(framed);
  const call = (body: Buffer): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const stream = session.request(headers);
      let answer = Buffer.alloc(0);
      stream.on('data', (piece: Buffer) => {
        answer = Buffer.concat([answer, piece]);
      });
      stream.on('error', reject);
      stream.once('close', () => (answer.length >= PREFIX_BYTES ? resolve(answer.subarray(PREFIX_BYTES)) : reject(NO_ANSWER)));
      stream.setTimeout(DEADLINE_MS, () => stream.close());
      stream.end(body);
    });
  return {
    async ask(perSecond, seconds, onAnswer) {
      const startMs = performance.now();
      const underWay: Promise<void>[] = [];
      let [errors, latestMs] = [0, 0];
      const send = (dueMs: number): void => {
        const told = (answer: Buffer): void => {
          const nowMs = performance.now();
          onAnswer(answer, nowMs - dueMs, nowMs - startMs);
        };
        underWay.push(call(bodies[underWay.length % bodies.length] as Buffer).then(told, () => void errors++));
      };
      const calls = perSecond * seconds;
      for (let next = 0; next < calls; ) {
        const dueUntil = Math.min(calls, Math.floor(((performance.now() - startMs) / 1000) * perSecond));
        for (; next < dueUntil; next++) {
          const dueMs = startMs + ((next + 1) * 1000) / perSecond;
          latestMs = Math.max(latestMs, performance.now() - dueMs);
          send(dueMs);
        }
        // A timer would come up to two milliseconds late, and with it every call.
        await new Promise((resolve) => setImmediate(resolve));
      }
      await Promise.all(underWay);
      return { calls, errors, latestMs };
    },
    close: () => session.destroy(),
  };
}

/** As gRPC sends a message. */
function framed(message: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.alloc(PREFIX_BYTES), message]);
  body.writeUInt32BE(message.length, 1);
  return body;
}

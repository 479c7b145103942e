/**
 * HTTP requests at a fixed rate, whatever comes back: each is sent when it is due, over a connection that is free or a new one.
 * So a slow answer delays no other request, and none that would have been slow is left out.
 */
import { connect, type Socket } from 'node:net';

export interface Timing {
  sent: number;
  /** Answers other than 200, and connections that were lost. */
  failures: number;
  /** From when a request was sent to the end of its answer, sorted. */
  latenciesMs: Float64Array;
  /** The longest that this program itself sent a request late. */
  latestMs: number;
}

export interface FixedRateOptions {
  port: number;
  /** Whole requests, which take turns. */
  requests: readonly Buffer[];
  perSecond: number;
  seconds: number;
}

interface Connection {
  socket: Socket;
  startedMs: number;
  answer: Buffer;
}

const END_OF_HEAD = '\r\n\r\n';
const REST_MS = 2_000;
const MAX_CONNECTIONS = 1_000;

export async function atFixedRate({ port, requests, perSecond, seconds }: FixedRateOptions): Promise<Timing> {
  const free: Connection[] = [];
  const all = new Set<Connection>();
  const latencies: number[] = [];
  let [sent, failures, latestMs, open] = [0, 0, 0, 0];

  const dropped = (connection: Connection): void => {
    if (!all.delete(connection)) return;
    if (connection.startedMs > 0) {
      failures++;
      open--;
    }
    const at = free.indexOf(connection);
    if (at !== -1) free.splice(at, 1);
  };

  const openOne = (): Connection => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const connection: Connection = { socket, startedMs: 0, answer: Buffer.alloc(0) };
    all.add(connection);
    socket.on('data', (piece: Buffer) => {
      connection.answer = connection.answer.length === 0 ? piece : Buffer.concat([connection.answer, piece]);
      if (!isWhole(connection.answer)) return;
      if (connection.answer.toString('latin1', 9, 12) !== '200') failures++;
      latencies.push(performance.now() - connection.startedMs);
      connection.startedMs = 0;
      connection.answer = Buffer.alloc(0);
      open--;
      free.push(connection);
    });
    socket.on('error', () => dropped(connection));
    socket.on('close', () => dropped(connection));
    return connection;
  };

  const send = (): void => {
    const request = requests[sent++ % requests.length] ?? Buffer.alloc(0);
    const connection = free.pop() ?? (all.size < MAX_CONNECTIONS ? openOne() : undefined);
    if (connection === undefined) {
      failures++;
      return;
    }
    open++;
    connection.startedMs = performance.now();
    connection.socket.write(request);
  };

  const startMs = performance.now();
  const due = perSecond * seconds;
  await new Promise<void>((resolve) => {
    const tick = (): void => {
      const sinceMs = performance.now() - startMs;
      for (const until = Math.min(due, Math.floor((sinceMs / 1000) * perSecond)); sent < until; ) {
        latestMs = Math.max(latestMs, sinceMs - ((sent + 1) * 1000) / perSecond);
        send();
      }
      if ((sent < due || open > 0) && sinceMs < seconds * 1000 + REST_MS) setTimeout(tick, 1);
      else resolve();
    };
    tick();
  });
  failures += open;
  for (const { socket } of all) socket.destroy();
  return { sent, failures, latenciesMs: Float64Array.from(latencies).sort(), latestMs };
}

function isWhole(answer: Buffer): boolean {
  const head = answer.indexOf(END_OF_HEAD);
  if (head === -1) return false;
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(answer.toString('latin1', 0, head))?.[1] ?? Number.NaN);
  return answer.length >= head + END_OF_HEAD.length + length;
}

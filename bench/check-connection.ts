/** One connection of the load generator to authz. */
import { createConnection } from 'node:net';
import {
  DEFAULT_WINDOW_BYTES,
  ERROR,
  FLAG,
  HEAD_BYTES,
  pingFrame,
  resetFrame,
  SETTINGS_ACK,
  TYPE,
} from '@tollgate/service-kit/http2/frames';
import {
  type AnswerKind,
  answerKind,
  callFrames,
  callTemplate,
  type Frame,
  firstHeaders,
  frameReader,
  nextHeaders,
  OPENING,
} from './check-frames.js';

export interface CheckConnection {
  /** Calls that have no answer yet. */
  inFlight(): number;
  /** Begins a call with this key, whose latency counts from `dueMs`. It goes out with the next `flush`. */
  call(key: Buffer, dueMs: number): void;
  flush(): void;
  /** Cancels the calls that were due before `beforeMs`, and tells how many. */
  giveUp(beforeMs: number): number;
  isOver(): boolean;
}

interface Call {
  dueMs: number;
  kind: AnswerKind;
}

interface Message {
  stream: number;
  bytes: Buffer;
}

export interface CheckConnectionOptions {
  /** Of authz's unix socket. */
  socketPath: string;
  /** A CheckRequest, and the key in it. */
  message: Buffer;
  key: string;
  /** At the end of each call that was not given up. */
  onAnswer: (kind: AnswerKind, dueMs: number) => void;
  /** The connection is of no more use, and so many calls with it. Called once. */
  onBroken: (lostCalls: number) => void;
}

export async function openCheckConnection(options: CheckConnectionOptions): Promise<CheckConnection> {
  const { message, key: keyOfMessage, onAnswer, onBroken } = options;
  const calls = new Map<number, Call>();
  /** Messages for which the server has given no window yet. Their headers have gone, as Envoy does it. */
  let held: Message[] = [];
  let windowBytes = DEFAULT_WINDOW_BYTES;
  let out: Buffer[] = [OPENING];
  let lastStream = -1;
  const first = callTemplate(firstHeaders(), message, keyOfMessage);
  const others = callTemplate(nextHeaders(), message, keyOfMessage);

  const socket = createConnection({ path: options.socketPath });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  let isOver = false;
  function end(): void {
    if (isOver) return;
    isOver = true;
    socket.destroy();
    onBroken(calls.size);
    calls.clear();
  }
  socket.on('error', end);
  socket.on('close', end);
  socket.on('data', frameReader(take));

  function take(frame: Frame): void {
    const { type, flags, stream, payload } = frame;
    const call = calls.get(stream);
    if (type === TYPE.data && call !== undefined) call.kind = answerKind(payload);
    else if (type === TYPE.settings && (flags & FLAG.ack) === 0) out.push(SETTINGS_ACK);
    else if (type === TYPE.ping && (flags & FLAG.ack) === 0) out.push(pingFrame(payload, true));
    else if (type === TYPE.windowUpdate && stream === 0) release(payload.readUInt32BE(0));
    else if (type === TYPE.goaway) end();
    const isEnd = type === TYPE.reset || ((type === TYPE.data || type === TYPE.headers) && (flags & FLAG.endStream) !== 0);
    if (isEnd && call !== undefined) {
      calls.delete(stream);
      onAnswer(call.kind, call.dueMs);
    }
  }

  function release(bytes: number): void {
    windowBytes += bytes;
    const waiting = held;
    held = [];
    for (const message of waiting) say(message);
  }

  function say(message: Message): void {
    const { stream, bytes } = message;
    if (!calls.has(stream)) return; // Given up meanwhile.
    const payloadBytes = bytes.length - HEAD_BYTES;
    if (windowBytes < payloadBytes || held.length > 0) {
      held.push(message);
      return;
    }
    windowBytes -= payloadBytes;
    out.push(bytes);
  }

  return {
    inFlight: () => calls.size,
    call(key, dueMs) {
      const template = lastStream === -1 ? first : others;
      lastStream += 2;
      calls.set(lastStream, { dueMs, kind: 'other' });
      const frames = callFrames(template, lastStream, key);
      out.push(frames.subarray(0, template.headersBytes));
      say({ stream: lastStream, bytes: frames.subarray(template.headersBytes) });
    },
    flush() {
      if (out.length === 0 || isOver) return;
      socket.write(Buffer.concat(out));
      out = [];
    },
    giveUp(beforeMs) {
      let given = 0;
      // In the order in which they were due.
      for (const [stream, { dueMs }] of calls) {
        if (dueMs >= beforeMs) break;
        calls.delete(stream);
        out.push(resetFrame(stream, ERROR.cancel));
        given++;
      }
      return given;
    },
    isOver: () => isOver,
  };
}

import type { Socket } from 'node:net';
import { rememberCutShort } from './cut-short.js';
import { createFrameReader } from './frame-reader.js';
import {
  broken,
  ConnectionError,
  DEFAULT_WINDOW_BYTES,
  ERROR,
  FLAG,
  goawayFrame,
  MAX_WINDOW_BYTES,
  pingFrame,
  resetFrame,
  SETTING,
  SETTINGS_ACK,
  settingsFrame,
  TYPE,
  windowUpdateFrame,
} from './frames.js';
import { createHeaderBlocks, type HeaderBlock, MAX_HEADER_BYTES, paddingOf } from './header-blocks.js';
import { Http2Stream, type StreamConnection } from './http2-stream.js';
import { createOpenStreams } from './open-streams.js';
import { createOutbox } from './outbox.js';
import { initialWindowIn } from './peer-settings.js';
import { createReceiveWindow } from './receive-window.js';
import { requestHead } from './request-head.js';

export interface ConnectionOptions {
  maxConcurrentStreams: number;
  /** Of the body of one call, padding included; beyond it the peer must not send. */
  maxBodyBytes: number;
}

/** Who answers the calls. */
export interface CallHandler {
  /** The headers of a call have come; with `isEnd` nothing follows them. */
  onHead(stream: Http2Stream, isEnd: boolean): void;
  /** A piece of its body, which nobody changes later. */
  onData(stream: Http2Stream, piece: Buffer, isEnd: boolean): void;
}

/** Of the bodies of all open calls. */
const WINDOW_BYTES = 64 << 20;
const LAST_STREAM = 0x7fffffff;
const NOTHING = Buffer.alloc(0);
const LEAVING = Buffer.from('leaving!');
const ALIVE = Buffer.from('alive?!?');

/**
 * The server's side of one HTTP/2 connection (RFC 9113) for calls that are answered once. What one piece of the socket asks
 * is answered in one write. Whoever breaks the protocol loses the connection, and nobody else anything.
 */
export class Http2Connection implements StreamConnection {
  sendWindow = DEFAULT_WINDOW_BYTES;
  lastCallMs = performance.now();
  private readonly outbox;
  private readonly read = createFrameReader((type, flags, stream, bytes, start, end) =>
    this.take(type, flags, stream, bytes, start, end),
  );
  private readonly blocks = createHeaderBlocks();
  private readonly streams = createOpenStreams<Http2Stream>();
  private readonly waiting = new Set<Http2Stream>();
  private readonly cutShort = rememberCutShort();
  private lastStream = 0;
  private lastTaken = 0;
  /** Of each new stream, as the peer says. */
  private streamWindow = DEFAULT_WINDOW_BYTES;
  private readonly room = createReceiveWindow(WINDOW_BYTES, (bytes) => this.send(windowUpdateFrame(0, bytes)));
  private isLeaving = false;
  /** From here on no call is taken. */
  private isLast = false;
  private isOver = false;
  private onAlive: (() => void) | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly handler: CallHandler,
    private readonly options: ConnectionOptions,
  ) {
    this.outbox = createOutbox(socket);
    this.send(
      settingsFrame([
        [SETTING.maxConcurrentStreams, options.maxConcurrentStreams],
        [SETTING.initialWindowSize, options.maxBodyBytes],
        [SETTING.maxHeaderListSize, MAX_HEADER_BYTES],
      ]),
    );
    this.send(windowUpdateFrame(0, WINDOW_BYTES - DEFAULT_WINDOW_BYTES));
    socket.on('data', (piece: Buffer) => this.onPiece(piece));
    socket.once('close', () => this.finish());
  }

  /** Lets calls under way end, and then the connection. The peer hears of it first, so that no call crosses the news. */
  close(): void {
    if (this.isLeaving || this.isOver) return;
    this.isLeaving = true;
    this.send(goawayFrame(LAST_STREAM, ERROR.none));
    this.send(pingFrame(LEAVING, false));
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Asks whether the peer is there. */
  ping(onAnswer: () => void): void {
    this.onAlive = onAnswer;
    this.send(pingFrame(ALIVE, false));
  }

  send(bytes: Buffer): void {
    if (!this.isOver) this.outbox.send(bytes);
  }

  ended(stream: Http2Stream): void {
    this.streams.delete(stream);
    this.waiting.delete(stream);
    if (!stream.isRemoteEnded) this.cutShort.add(stream.id);
    this.room.giveBack(stream.receivedBytes);
    if (this.isLast && this.streams.size === 0) this.finish();
  }

  waits(stream: Http2Stream): void {
    this.waiting.add(stream);
  }

  private onPiece(piece: Buffer): void {
    this.outbox.during(() => {
      try {
        if (!this.isOver) this.read(piece);
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        this.send(goawayFrame(this.lastTaken, error.code));
        this.finish();
      }
    });
  }

  /** What is said goes out, and then no more; whoever waits for an answer waits in vain. */
  private finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    for (const stream of this.streams.all()) stream.gone();
    this.outbox.end();
  }

  private take(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    if (this.isOver) return;
    if (this.blocks.isUnfinished() && type !== TYPE.continuation) throw broken('another frame in the middle of headers');
    switch (type) {
      case TYPE.data:
        this.onData(flags, stream, bytes, start, end);
        break;
      case TYPE.headers:
        this.onHeaders(this.blocks.begin(flags, stream, bytes, start, end), stream);
        break;
      case TYPE.continuation:
        this.onHeaders(this.blocks.goOn(flags, stream, bytes, start, end), stream);
        break;
      case TYPE.settings:
        this.onSettings(flags, bytes, start, end);
        break;
      case TYPE.windowUpdate:
        this.onWindowUpdate(stream, bytes, start);
        break;
      case TYPE.ping:
        this.onPing(flags, bytes.subarray(start, end));
        break;
      case TYPE.reset:
        this.onReset(stream);
        break;
      case TYPE.pushPromise:
        throw broken('a caller promises nothing');
      // Nothing to do for priorities, for a peer that will leave, and for what nobody knows.
    }
  }

  private onHeaders(block: HeaderBlock | undefined, id: number): void {
    if (id % 2 === 0) throw broken('a call with an even number');
    if (block === undefined) return;
    const stream = this.streams.get(id);
    if (stream !== undefined) this.onTrailers(stream, block);
    else if (id > this.lastStream) this.onCall(id, block);
    else if (!this.cutShort.has(id)) throw new ConnectionError(ERROR.streamClosed, 'headers of a call that is over');
  }

  private onCall(id: number, { fields, isEnd }: HeaderBlock): void {
    this.lastStream = id;
    const head = requestHead(fields);
    if (head === undefined || this.isLast || this.streams.size >= this.options.maxConcurrentStreams) {
      this.send(resetFrame(id, head === undefined ? ERROR.protocol : ERROR.refusedStream));
      if (!isEnd) this.cutShort.add(id);
      return;
    }
    this.lastTaken = id;
    this.lastCallMs = performance.now();
    const stream = new Http2Stream(id, head, this, this.streamWindow);
    this.streams.add(stream);
    stream.isRemoteEnded = isEnd;
    if (isEnd && head.contentLength) stream.reset(ERROR.protocol);
    else this.handler.onHead(stream, isEnd);
  }

  /** What a caller says after its message is nothing to us. */
  private onTrailers(stream: Http2Stream, { isEnd, fields }: HeaderBlock): void {
    if (stream.isRemoteEnded) throw new ConnectionError(ERROR.streamClosed, 'headers after the end');
    if (!isEnd || !fields.every(({ isRegular }) => isRegular)) stream.reset(ERROR.protocol);
    else this.onBody(stream, 0, NOTHING, true);
  }

  private onData(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (id > this.lastStream) throw broken('a body without a call');
    const length = end - start;
    this.room.take(length);
    const padding = paddingOf(flags, bytes, start, end);
    const from = (flags & FLAG.padded) === 0 ? start : start + 1;
    if (from + padding > end) throw broken('more padding than there is frame');
    const isEnd = (flags & FLAG.endStream) !== 0;
    const stream = this.streams.get(id);
    if (stream === undefined) this.onLateData(id, length, isEnd);
    else if (stream.isRemoteEnded) stream.reset(ERROR.streamClosed);
    else this.onBody(stream, length, bytes.subarray(from, end - padding), isEnd);
  }

  private onLateData(id: number, length: number, isEnd: boolean): void {
    this.room.giveBack(length);
    if (!this.cutShort.has(id)) throw new ConnectionError(ERROR.streamClosed, 'a body of a call that is over');
    if (isEnd) this.cutShort.delete(id);
  }

  private onBody(stream: Http2Stream, length: number, piece: Buffer, isEnd: boolean): void {
    const problem = stream.receive(length, piece.length, isEnd, this.options.maxBodyBytes);
    if (problem === undefined) this.handler.onData(stream, piece, isEnd);
    else stream.reset(problem);
  }

  private onSettings(flags: number, bytes: Buffer, start: number, end: number): void {
    if ((flags & FLAG.ack) !== 0) return;
    const window = initialWindowIn(bytes, start, end);
    if (window !== undefined) this.changeStreamWindow(window);
    this.send(SETTINGS_ACK);
  }

  private changeStreamWindow(window: number): void {
    const more = window - this.streamWindow;
    this.streamWindow = window;
    for (const stream of this.streams.all()) stream.sendWindow = widened(stream.sendWindow, more);
    this.pump();
  }

  private onWindowUpdate(id: number, bytes: Buffer, start: number): void {
    const more = bytes.readUInt32BE(start) & MAX_WINDOW_BYTES;
    if (id > this.lastStream) throw broken('a window of a call that is none');
    const stream = this.streams.get(id);
    if (more === 0) {
      if (id === 0 || stream === undefined) throw broken('a window of nothing');
      stream.reset(ERROR.protocol);
    } else if (id === 0) this.sendWindow = widened(this.sendWindow, more);
    else if (stream !== undefined && stream.sendWindow + more > MAX_WINDOW_BYTES) stream.reset(ERROR.flowControl);
    else if (stream !== undefined) stream.sendWindow += more;
    this.pump();
  }

  private pump(): void {
    if (this.waiting.size === 0) return;
    const due = [...this.waiting];
    this.waiting.clear();
    for (const stream of due) stream.pump();
  }

  private onPing(flags: number, payload: Buffer): void {
    if ((flags & FLAG.ack) === 0) this.send(pingFrame(payload, true));
    else if (payload.equals(LEAVING)) this.leave();
    else if (payload.equals(ALIVE)) this.onAlive?.();
  }

  /** The peer knows: whatever it has sent before that is here. */
  private leave(): void {
    if (!this.isLeaving || this.isLast) return;
    this.isLast = true;
    this.send(goawayFrame(this.lastTaken, ERROR.none));
    if (this.streams.size === 0) this.finish();
  }

  private onReset(id: number): void {
    if (id > this.lastStream) throw broken('the end of a call that is none');
    const stream = this.streams.get(id);
    this.cutShort.delete(id);
    if (stream === undefined) return;
    stream.isRemoteEnded = true;
    stream.gone();
  }
}

function widened(window: number, more: number): number {
  if (window + more > MAX_WINDOW_BYTES) throw new ConnectionError(ERROR.flowControl, 'a window that is too wide');
  return window + more;
}

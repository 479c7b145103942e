import { ERROR, FLAG, HEAD_BYTES, MAX_FRAME_BYTES, resetFrame, TYPE, writeHead } from './frames.js';
import type { RequestHead } from './request-head.js';

/** What a stream needs of its connection. */
export interface StreamConnection {
  /** What the peer still takes, over all streams. */
  sendWindow: number;
  send(bytes: Buffer): void;
  /** Whatever it has received needs no room any more. */
  ended(stream: Http2Stream): void;
  /** It waits for room in a window. */
  waits(stream: Http2Stream): void;
}

/** What still has to go out: bytes of a body, or the headers that end it. */
type Part =
  /** Never empty. */
  { kind: 'data'; bytes: Uint8Array } | { kind: 'trailers'; block: Uint8Array };

/** One call. What is sent waits for the windows of the peer; nothing is sent once it has ended. */
export class Http2Stream {
  /** The peer has said all that it has to say. */
  isRemoteEnded = false;
  /** All has been said to the peer, or one of both has given up. */
  isEnded = false;
  /** Of its body, with padding: what it holds of the connection's window. */
  receivedBytes = 0;
  private bodyBytes = 0;
  /** For whoever answers: what has come of a message that is not whole yet, and whether it was answered. */
  body: Buffer | undefined;
  isAnswered = false;
  onGone: (() => void) | undefined;
  private queue: Part[] | undefined;

  constructor(
    readonly id: number,
    readonly head: RequestHead,
    private readonly connection: StreamConnection,
    public sendWindow: number,
  ) {}

  /** Counts a piece of the body, of which `bytes` are no padding. Returns the code to end the call with, if it breaks a rule. */
  receive(withPadding: number, bytes: number, isEnd: boolean, maxBytes: number): number | undefined {
    this.receivedBytes += withPadding;
    this.bodyBytes += bytes;
    this.isRemoteEnded = isEnd;
    if (this.receivedBytes > maxBytes) return ERROR.flowControl;
    const { contentLength } = this.head;
    return isEnd && contentLength !== undefined && contentLength !== this.bodyBytes ? ERROR.protocol : undefined;
  }

  /** A whole answer. Blocks are encoded headers. */
  reply(headBlock: Uint8Array, data: Uint8Array, trailersBlock: Uint8Array): void {
    if (this.isEnded) return;
    if (!this.hasRoomFor(data.length)) {
      this.open(headBlock);
      this.write(data);
      this.end(trailersBlock);
      return;
    }
    this.sendWindow -= data.length;
    this.connection.sendWindow -= data.length;
    const dataAt = HEAD_BYTES + headBlock.length;
    const trailersAt = dataAt + HEAD_BYTES + data.length;
    const bytes = Buffer.allocUnsafe(trailersAt + HEAD_BYTES + trailersBlock.length);
    writeHead(bytes, 0, headBlock.length, TYPE.headers, FLAG.endHeaders, this.id);
    bytes.set(headBlock, HEAD_BYTES);
    writeHead(bytes, dataAt, data.length, TYPE.data, 0, this.id);
    bytes.set(data, dataAt + HEAD_BYTES);
    writeHead(bytes, trailersAt, trailersBlock.length, TYPE.headers, FLAG.endHeaders | FLAG.endStream, this.id);
    bytes.set(trailersBlock, trailersAt + HEAD_BYTES);
    this.connection.send(bytes);
    this.finish();
  }

  /** An answer that is nothing but headers. */
  refuse(headBlock: Uint8Array): void {
    if (this.isEnded) return;
    this.connection.send(headers(this.id, headBlock, FLAG.endStream));
    this.finish();
  }

  open(headBlock: Uint8Array): void {
    if (!this.isEnded) this.connection.send(headers(this.id, headBlock, 0));
  }

  write(data: Uint8Array): void {
    if (this.isEnded) return;
    this.queue ??= [];
    this.queue.push({ kind: 'data', bytes: data });
    this.pump();
  }

  end(trailersBlock: Uint8Array): void {
    if (this.isEnded) return;
    this.queue ??= [];
    this.queue.push({ kind: 'trailers', block: trailersBlock });
    this.pump();
  }

  /** Sends as much of what waits as the windows let through. */
  pump(): void {
    const { queue } = this;
    while (queue !== undefined && queue.length > 0 && !this.isEnded) {
      const part = queue[0] as Part;
      if (part.kind === 'trailers') {
        this.connection.send(headers(this.id, part.block, FLAG.endStream));
        this.finish();
        return;
      }
      const length = Math.min(part.bytes.length, MAX_FRAME_BYTES, this.sendWindow, this.connection.sendWindow);
      if (length <= 0) {
        this.connection.waits(this);
        return;
      }
      this.sendData(part.bytes.subarray(0, length));
      if (length === part.bytes.length) queue.shift();
      else part.bytes = part.bytes.subarray(length);
    }
  }

  /** Gives up: nothing is sent or taken any more. */
  reset(code: number): void {
    if (this.isEnded) return;
    this.connection.send(resetFrame(this.id, code));
    this.forget();
  }

  /** The peer, or the connection, has gone. */
  gone(): void {
    if (!this.isEnded) this.forget();
  }

  private hasRoomFor(bytes: number): boolean {
    return (
      bytes <= MAX_FRAME_BYTES &&
      bytes <= this.sendWindow &&
      bytes <= this.connection.sendWindow &&
      (this.queue === undefined || this.queue.length === 0)
    );
  }

  private sendData(bytes: Uint8Array): void {
    this.sendWindow -= bytes.length;
    this.connection.sendWindow -= bytes.length;
    const out = Buffer.allocUnsafe(HEAD_BYTES + bytes.length);
    writeHead(out, 0, bytes.length, TYPE.data, 0, this.id);
    out.set(bytes, HEAD_BYTES);
    this.connection.send(out);
  }

  /** All is said. What the peer still has to say is of no interest (RFC 9113, section 8.1). */
  private finish(): void {
    if (!this.isRemoteEnded) this.connection.send(resetFrame(this.id, ERROR.none));
    this.forget();
  }

  private forget(): void {
    this.isEnded = true;
    this.queue = undefined;
    this.body = undefined;
    this.connection.ended(this);
    this.onGone?.();
  }
}

function headers(stream: number, block: Uint8Array, flags: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + block.length);
  writeHead(bytes, 0, block.length, TYPE.headers, FLAG.endHeaders | flags, stream);
  bytes.set(block, HEAD_BYTES);
  return bytes;
}

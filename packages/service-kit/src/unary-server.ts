/**
 * gRPC for unary calls in plaintext, straight on our own HTTP/2. grpc-js and node:http2 run each call through a dozen layers,
 * which is most of what a decision costs; this does the framing and nothing else. It speaks what Envoy and gRPC clients send to a unary
 * method: one uncompressed message, answered by one message and a status. The rest is left to grpc-js; see grpc-server.
 *
 * Wire format: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
import { createServer, type Server } from 'node:net';
import { type CallInfo, GRPC_STATUS, GrpcError, type GrpcMethod } from './grpc.js';
import { encodeHeaders } from './http2/encode-headers.js';
import { type CallHandler, Http2Connection } from './http2/http2-connection.js';
import type { Http2Stream } from './http2/http2-stream.js';
import { formatListenAddress, type ListenAddress } from './listen-address.js';
import { type ConnectionTimes, watchConnections } from './unary-connections.js';
import { freeSocketPath } from './unix-socket.js';

type UnaryMethod = GrpcMethod & { kind: 'unary' };

export interface UnaryServerOptions extends ConnectionTimes {
  listen: ListenAddress;
  methods: readonly UnaryMethod[];
  /** Not counted among the calls in flight: a busy server is no dead one. */
  health: UnaryMethod;
  /** Answers a stream of its own; what it writes are messages. */
  watch: { path: string; open(request: Buffer, stream: WatchStream): void };
  maxReceiveBytes: number;
  maxInFlight: number;
  maxConcurrentStreams: number | undefined;
  /** Told of errors that are no GrpcError: faults of ours. */
  onFailure: (error: unknown, path: string, call: CallInfo) => void;
}

/** A stream of answers. */
export interface WatchStream {
  write(message: Uint8Array): void;
  end(): void;
  once(event: 'cancelled', listener: () => void): void;
}

export interface UnaryServer {
  /** As settings spell it, with the port that was picked. */
  address: string;
  /** Lets calls end, and cuts off what has not ended after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

const PREFIX_BYTES = 5;
const { UNIMPLEMENTED, RESOURCE_EXHAUSTED, INTERNAL, INVALID_ARGUMENT } = {
  ...GRPC_STATUS,
  UNIMPLEMENTED: 12,
};
const HEADERS = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
] as const;
const HEAD = encodeHeaders(HEADERS);
const OK = encodeHeaders([['grpc-status', '0']]);
const NO_GRPC = encodeHeaders([[':status', '415']]);
/** Of calls whose headers have come and that are not answered yet, where nobody says another number. */
const MAX_CONCURRENT_STREAMS = 10_000;
/** What a peer may add to a message by padding its frames. */
const PADDING_BYTES = 65_536;
const FAILED = new GrpcError(INTERNAL, 'Internal error.');
const NO_METHOD = new GrpcError(UNIMPLEMENTED, 'There is no such method here.');
const NO_MESSAGE = new GrpcError(INVALID_ARGUMENT, 'The call ended before its message did.');
const BUSY = new GrpcError(RESOURCE_EXHAUSTED, 'Too many calls are in flight.');

/** Starts to serve. Rejects where the address is taken. */
export async function startUnaryServer(options: UnaryServerOptions): Promise<UnaryServer> {
  const { maxConcurrentStreams = MAX_CONCURRENT_STREAMS, maxReceiveBytes } = options;
  const server = createServer({ noDelay: true });
  const connections = watchConnections(options);
  const calls = callHandler(options);
  const limits = { maxConcurrentStreams, maxBodyBytes: maxReceiveBytes + PADDING_BYTES };
  server.on('connection', (socket) => {
    socket.on('error', () => {}); // The caller has gone: there is nobody to tell.
    connections.add(socket, new Http2Connection(socket, calls, limits));
  });
  const address = await bind(server, options.listen);
  return {
    address,
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      await connections.close(graceMs);
      await closed;
    },
  };
}

/** Gathers the one message of each call, and answers it. */
function callHandler(options: UnaryServerOptions): CallHandler {
  const refusal = createRefusing(options);
  const answer = createAnswering(options);
  return {
    onHead(stream, isEnd) {
      const { head } = stream;
      if (head.method !== 'POST' || !isGrpc(head.header('content-type'))) {
        stream.isAnswered = true;
        stream.refuse(NO_GRPC);
        return;
      }
      const refused = refusal(head);
      if (refused !== undefined) {
        stream.isAnswered = true;
        reply(stream, refused);
      } else if (isEnd) fail(stream, NO_MESSAGE);
    },
    onData(stream, piece, isEnd) {
      if (stream.isAnswered) return;
      stream.body = stream.body === undefined ? piece : Buffer.concat([stream.body, piece]);
      take(stream, stream.body, options.maxReceiveBytes, answer);
      if (isEnd && !stream.isAnswered) fail(stream, NO_MESSAGE);
    },
  };
}

/** What a method answers to a call without its message, if it does. */
function createRefusing({ methods, onFailure }: UnaryServerOptions): (head: Head) => Uint8Array | undefined {
  const byPath = new Map(methods.map(({ path, refuse }) => [path, refuse]));
  return (head) => {
    try {
      return byPath.get(head.path)?.(head);
    } catch (error) {
      onFailure(error, head.path, head);
      return undefined;
    }
  };
}

type Head = CallInfo & { path: string };
type Answering = (stream: Http2Stream, message: Buffer) => void;

/** Most messages come in one piece. */
function take(stream: Http2Stream, body: Buffer, maxBytes: number, answer: Answering): void {
  if (body.length < PREFIX_BYTES) return;
  const problem = problemWith(body, maxBytes);
  if (problem !== undefined) {
    fail(stream, problem);
    return;
  }
  const length = body.readUInt32BE(1);
  if (body.length < PREFIX_BYTES + length) return;
  stream.isAnswered = true;
  answer(stream, body.subarray(PREFIX_BYTES, PREFIX_BYTES + length));
}

function problemWith(body: Buffer, maxBytes: number): GrpcError | undefined {
  if (body[0] !== 0) return new GrpcError(UNIMPLEMENTED, 'Compressed messages are not taken.');
  const length = body.readUInt32BE(1);
  if (length > maxBytes)
    return new GrpcError(RESOURCE_EXHAUSTED, `A message of ${length} bytes is too long: at most ${maxBytes}.`);
  return undefined;
}

function createAnswering(options: UnaryServerOptions): Answering {
  const { methods, health, watch, maxInFlight, onFailure } = options;
  const byPath = new Map([...methods, health].map((method) => [method.path, method]));
  let inFlight = 0;

  function failWith(stream: Http2Stream, error: unknown): void {
    if (!(error instanceof GrpcError)) onFailure(error, stream.head.path, stream.head);
    fail(stream, error instanceof GrpcError ? error : FAILED);
  }

  function wait(stream: Http2Stream, answered: Promise<Uint8Array>): void {
    inFlight++;
    answered.then(
      (bytes) => {
        inFlight--;
        reply(stream, bytes);
      },
      (error: unknown) => {
        inFlight--;
        failWith(stream, error);
      },
    );
  }

  return (stream, message) => {
    const { head } = stream;
    const method = byPath.get(head.path);
    if (method === undefined) {
      if (head.path === watch.path) watch.open(message, watchStream(stream));
      else fail(stream, NO_METHOD);
      return;
    }
    if (inFlight >= maxInFlight && method !== health) {
      fail(stream, BUSY);
      return;
    }
    try {
      const answered = method.answer(message, head);
      if (answered instanceof Uint8Array) reply(stream, answered);
      else wait(stream, answered);
    } catch (error) {
      failWith(stream, error);
    }
  };
}

function reply(stream: Http2Stream, message: Uint8Array): void {
  stream.reply(HEAD, framed(message), OK);
}

/** "Trailers-Only": the status in the one block of headers. */
function fail(stream: Http2Stream, { code, message }: GrpcError): void {
  stream.isAnswered = true;
  const text = encodeURIComponent(message.toWellFormed()).replaceAll('%20', ' ');
  stream.refuse(encodeHeaders([...HEADERS, ['grpc-status', String(code)], ['grpc-message', text]]));
}

function watchStream(stream: Http2Stream): WatchStream {
  stream.open(HEAD);
  return {
    write: (message) => stream.write(framed(message)),
    end: () => stream.end(OK),
    once(_, listener) {
      stream.onGone = listener;
    },
  };
}

function framed(bytes: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + bytes.length);
  frame[0] = 0;
  frame.writeUInt32BE(bytes.length, 1);
  frame.set(bytes, PREFIX_BYTES);
  return frame;
}

function isGrpc(contentType: string | undefined): boolean {
  return (
    contentType === 'application/grpc' ||
    contentType?.startsWith('application/grpc+') === true ||
    contentType?.startsWith('application/grpc;') === true
  );
}

async function bind(server: Server, listen: ListenAddress): Promise<string> {
  if (listen.kind === 'unix') await freeSocketPath(listen.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.kind === 'unix' ? { path: listen.path } : { host: listen.host, port: listen.port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = server.address();
  if (listen.kind === 'unix' || bound === null || typeof bound === 'string') return formatListenAddress(listen);
  return formatListenAddress({ ...listen, port: bound.port });
}

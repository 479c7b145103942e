/**
 * gRPC for unary calls in plaintext, straight on node:http2. grpc-js runs each call through a dozen layers, which is most of
 * what a decision costs; this does the framing and nothing else. It speaks what Envoy and gRPC clients send to a unary
 * method: one uncompressed message, answered by one message and a status. The rest is left to grpc-js; see grpc-server.
 *
 * Wire format: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
import { constants, createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { type CallInfo, GRPC_STATUS, GrpcError, type GrpcMethod } from './grpc.js';
import { formatListenAddress, type ListenAddress } from './listen-address.js';
import { type SessionOptions, watchSessions } from './unary-sessions.js';
import { freeSocketPath } from './unix-socket.js';

type UnaryMethod = GrpcMethod & { kind: 'unary' };

export interface UnaryServerOptions extends SessionOptions {
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
  onFailure: (error: unknown, path: string) => void;
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
const HEADERS = { ':status': 200, 'content-type': 'application/grpc' };
const WITH_TRAILERS = { waitForTrailers: true };
const OK = { 'grpc-status': '0' };
/** Of header blocks and open streams of one connection; node's own 10 MB is too little for a busy Envoy. */
const MAX_SESSION_MEMORY_MB = 64;
const FAILED = new GrpcError(INTERNAL, 'Internal error.');
const BUSY = new GrpcError(RESOURCE_EXHAUSTED, 'Too many calls are in flight.');

/** Starts to serve. Rejects where the address is taken. */
export async function startUnaryServer(options: UnaryServerOptions): Promise<UnaryServer> {
  const { maxConcurrentStreams } = options;
  const server = createServer({
    maxSessionMemory: MAX_SESSION_MEMORY_MB,
    settings: maxConcurrentStreams === undefined ? {} : { maxConcurrentStreams },
  });
  const sessions = watchSessions(server, options);
  const refusal = createRefusing(options);
  const answer = createAnswering(options);
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {}); // The caller has gone: there is nobody to tell.
    if (headers[':method'] !== 'POST' || !isGrpc(headers['content-type'])) {
      stream.respond({ ':status': 415 }, { endStream: true });
      stream.close(constants.NGHTTP2_NO_ERROR);
      return;
    }
    const refused = refusal(headers);
    if (refused === undefined) {
      take(stream, headers, options.maxReceiveBytes, answer);
      return;
    }
    stream.resume();
    reply(stream, refused);
  });
  const address = await bind(server, options.listen);
  return {
    address,
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      await sessions.close(graceMs);
      await closed;
    },
  };
}

/** What a method answers to a call without its message, if it does. */
function createRefusing({ methods, onFailure }: UnaryServerOptions): (headers: IncomingHttpHeaders) => Uint8Array | undefined {
  const byPath = new Map(methods.map(({ path, refuse }) => [path, refuse]));
  return (headers) => {
    const path = headers[':path'] ?? '';
    try {
      return byPath.get(path)?.(new CallHeaders(headers));
    } catch (error) {
      onFailure(error, path);
      return undefined;
    }
  };
}

type Answering = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, message: Buffer) => void;

/** Gathers the one message of a call. Most come in one piece, together with their headers. */
function take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, maxBytes: number, answer: Answering): void {
  let body: Buffer | undefined;
  let isAnswered = false;
  stream.on('data', (chunk: Buffer) => {
    if (isAnswered) return;
    body = body === undefined ? chunk : Buffer.concat([body, chunk]);
    if (body.length < PREFIX_BYTES) return;
    const problem = problemWith(body, maxBytes);
    const length = body.readUInt32BE(1);
    if (problem === undefined && body.length < PREFIX_BYTES + length) return;
    isAnswered = true;
    if (problem !== undefined) {
      fail(stream, problem);
      stream.close(constants.NGHTTP2_NO_ERROR); // What the caller still has to say is of no interest.
    } else answer(stream, headers, body.subarray(PREFIX_BYTES, PREFIX_BYTES + length));
  });
  stream.once('end', () => {
    if (!isAnswered) fail(stream, new GrpcError(INVALID_ARGUMENT, 'The call ended before its message did.'));
  });
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

  function failWith(stream: ServerHttp2Stream, path: string, error: unknown): void {
    if (!(error instanceof GrpcError)) onFailure(error, path);
    fail(stream, error instanceof GrpcError ? error : FAILED);
  }

  return (stream, headers, message) => {
    const path = headers[':path'] ?? '';
    const method = byPath.get(path);
    if (method === undefined) {
      if (path === watch.path) watch.open(message, watchStream(stream));
      else fail(stream, new GrpcError(UNIMPLEMENTED, 'There is no such method here.'));
      return;
    }
    if (inFlight >= maxInFlight && method !== health) {
      fail(stream, BUSY);
      return;
    }
    try {
      const answered = method.answer(message, new CallHeaders(headers));
      if (answered instanceof Uint8Array) {
        reply(stream, answered);
        return;
      }
      inFlight++;
      answered
        .then((bytes) => reply(stream, bytes))
        .catch((error: unknown) => failWith(stream, path, error))
        .finally(() => {
          inFlight--;
        });
    } catch (error) {
      failWith(stream, path, error);
    }
  };
}

function reply(stream: ServerHttp2Stream, bytes: Uint8Array): void {
  if (stream.destroyed) return;
  stream.once('wantTrailers', sendOk);
  stream.respond(HEADERS, WITH_TRAILERS);
  stream.end(framed(bytes));
}

function sendOk(this: ServerHttp2Stream): void {
  this.sendTrailers(OK);
}

/** "Trailers-Only": the status in the one block of headers. */
function fail(stream: ServerHttp2Stream, { code, message }: GrpcError): void {
  if (stream.destroyed || stream.headersSent) return;
  const text = encodeURIComponent(message.toWellFormed()).replaceAll('%20', ' ');
  stream.respond({ ...HEADERS, 'grpc-status': String(code), 'grpc-message': text }, { endStream: true });
}

function watchStream(stream: ServerHttp2Stream): WatchStream {
  stream.once('wantTrailers', sendOk);
  stream.respond(HEADERS, WITH_TRAILERS);
  return {
    write: (message) => {
      if (!stream.destroyed) stream.write(framed(message));
    },
    end: () => {
      if (!stream.destroyed) stream.end();
    },
    once: (_, listener) => void stream.once('close', listener),
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

class CallHeaders implements CallInfo {
  constructor(private readonly headers: IncomingHttpHeaders) {}

  header(name: string): string | undefined {
    const value = this.headers[name];
    return typeof value === 'string' ? value : value?.[0];
  }
}

async function bind(server: Http2Server, listen: ListenAddress): Promise<string> {
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

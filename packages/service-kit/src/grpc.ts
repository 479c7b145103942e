/**
 * How services speak gRPC, without naming the library under it: a method is a path and a function over bytes, so that
 * another server can stand under `startGrpcServer`.
 */

/** What a handler may know of a call besides its message. */
export interface CallInfo {
  /** The first value of a request header in lower case, or undefined. */
  header(name: string): string | undefined;
  /** There where the call is traced. */
  readonly span?: CallSpan;
}

/** Takes what a handler tells of its call. It is read by others than the call: never a key, a secret, or who calls. */
export interface CallSpan {
  set(name: `tollgate.${string}`, value: string | boolean): void;
}

export type GrpcMethod =
  | {
      kind: 'unary';
      path: string;
      answer: (message: Buffer, call: CallInfo) => Promise<Uint8Array> | Uint8Array;
      /** Asked before the message is read, so that a call for which there is no time costs little: its answer, or undefined. */
      refuse?: Refuse;
    }
  | { kind: 'client-stream'; path: string; answer: (messages: AsyncIterable<Buffer>, call: CallInfo) => Promise<Uint8Array> };

export type Refuse = (call: CallInfo) => Uint8Array | undefined;

/** gRPC status codes that we answer with. */
export const GRPC_STATUS = { INVALID_ARGUMENT: 3, RESOURCE_EXHAUSTED: 8, INTERNAL: 13, UNAVAILABLE: 14 } as const;

/** A failure that the caller may see: a status code and a message without internals. Any other error becomes INTERNAL. */
export class GrpcError extends Error {
  constructor(
    readonly code: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * Answers one message with one. The handler returns encoded bytes, so that an answer made earlier costs nothing to send
 * again. `path` is as on the wire: `/envoy.service.auth.v3.Authorization/Check`. With `refuse` a call may be answered unread.
 */
export function unaryMethod<Request>(
  path: string,
  decode: (message: Buffer) => Request,
  handle: (request: Request, call: CallInfo) => Promise<Uint8Array> | Uint8Array,
  refuse?: Refuse,
): GrpcMethod {
  const answer = (message: Buffer, call: CallInfo) => handle(decodeOrRefuse(decode, message), call);
  return { kind: 'unary', path, answer, ...(refuse && { refuse }) };
}

/** Takes in a stream of messages and answers once, at its end. The next message is read when the one before is handled. */
export function clientStreamMethod<Request>(
  path: string,
  decode: (message: Buffer) => Request,
  handle: (requests: AsyncIterable<Request>, call: CallInfo) => Promise<Uint8Array>,
): GrpcMethod {
  async function* decoded(messages: AsyncIterable<Buffer>): AsyncIterable<Request> {
    for await (const message of messages) yield decodeOrRefuse(decode, message);
  }
  return { kind: 'client-stream', path, answer: (messages, call) => handle(decoded(messages), call) };
}

function decodeOrRefuse<Request>(decode: (message: Buffer) => Request, message: Buffer): Request {
  try {
    return decode(message);
  } catch (cause) {
    throw new GrpcError(GRPC_STATUS.INVALID_ARGUMENT, 'The message is not valid protobuf of this type.', { cause });
  }
}

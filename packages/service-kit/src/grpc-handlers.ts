/** Puts our methods under grpc-js. Bytes go in and out as they are. */
import {
  type handleClientStreamingCall,
  type handleUnaryCall,
  type Metadata,
  type Server,
  type ServerReadableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { type CallInfo, GrpcError, type GrpcMethod } from './grpc.js';
import type { IsAdmitted } from './grpc-credentials.js';

export interface HandlerOptions {
  /** Calls that wait for an answer at once, over all methods; beyond it a call is refused at once. */
  maxInFlight: number;
  /** Whether the caller may call at all; undefined where everyone who can connect may. */
  isAdmitted: IsAdmitted | undefined;
  /** Told of errors that are no GrpcError: faults of ours. */
  onFailure: (error: unknown, path: string, call: CallInfo) => void;
}

type Reply = sendUnaryData<Uint8Array>;
type Refusal = { code: status; details: string };
type Answer = Promise<Uint8Array> | Uint8Array;
type Call = Parameters<IsAdmitted>[0] & { metadata: Metadata };

const BUSY: Refusal = { code: status.RESOURCE_EXHAUSTED, details: 'Too many calls are in flight.' };
export const NOT_ADMITTED: Refusal = {
  code: status.PERMISSION_DENIED,
  details: 'The certificate is not for a caller of this service.',
};
const FAILED: Refusal = { code: status.INTERNAL, details: 'Internal error.' };

/** Bytes to Buffer without copying them. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
function asIs(bytes: Buffer): Buffer {
  return bytes;
}

/** Returns a function that adds a method to the server; all methods added by it share one count of calls in flight. */
export function methodAdder(server: Server, options: HandlerOptions): (method: GrpcMethod) => void {
  const { maxInFlight, isAdmitted, onFailure } = options;
  let inFlight = 0;

  /** The hot path: an answer that is there at once costs no promise and no turn of the microtask queue. */
  function run(path: string, call: Call, reply: Reply, answer: () => Answer): void {
    const refusal = refusalOf(call);
    if (refusal !== undefined) {
      reply(refusal);
      return;
    }
    try {
      const answered = answer();
      if (answered instanceof Uint8Array) reply(null, answered);
      else wait(path, call, answered, reply);
    } catch (error) {
      fail(path, call, error, reply);
    }
  }

  function refusalOf(call: Call): Refusal | undefined {
    if (inFlight >= maxInFlight) return BUSY;
    return isAdmitted === undefined || isAdmitted(call) ? undefined : NOT_ADMITTED;
  }

  function wait(path: string, call: Call, answered: Promise<Uint8Array>, reply: Reply): void {
    inFlight++;
    answered.then(
      (bytes) => {
        inFlight--;
        reply(null, bytes);
      },
      (error: unknown) => {
        inFlight--;
        fail(path, call, error, reply);
      },
    );
  }

  function fail(path: string, call: Call, error: unknown, reply: Reply): void {
    if (error instanceof GrpcError) {
      reply({ code: error.code, details: error.message.toWellFormed() });
      return;
    }
    onFailure(error, path, new CallHeaders(call.metadata));
    reply(FAILED);
  }

  return (method) => {
    const { path } = method;
    if (method.kind === 'unary') {
      const handle: handleUnaryCall<Buffer, Uint8Array> = (call, reply) =>
        run(path, call, reply, () => {
          const info = new CallHeaders(call.metadata);
          return method.refuse?.(info) ?? method.answer(call.request, info);
        });
      server.register(path, handle, asBuffer, asIs, 'unary');
    } else {
      const handle: handleClientStreamingCall<Buffer, Uint8Array> = (call, reply) =>
        run(path, call, reply, () => method.answer(messagesOf(call), new CallHeaders(call.metadata)));
      server.register(path, handle, asBuffer, asIs, 'clientStream');
    }
  };
}

/**
 * The messages of a stream. Its end does not say whether the caller finished or went away: underneath it often looks the
 * same. What had arrived by then is still handed over, though the stream forgets it when it is torn down.
 */
async function* messagesOf(call: ServerReadableStream<Buffer, Uint8Array>): AsyncGenerator<Buffer> {
  const rescued: Buffer[] = [];
  call.once('cancelled', () => {
    for (let message = call.read(); message !== null; message = call.read()) rescued.push(message);
  });
  try {
    for await (const message of call) yield message as Buffer;
  } catch (error) {
    if (!call.cancelled) throw error;
  }
  yield* rescued;
}

class CallHeaders implements CallInfo {
  constructor(private readonly metadata: Metadata) {}

  header(name: string): string | undefined {
    const [first] = this.metadata.get(name);
    return typeof first === 'string' ? first : undefined;
  }
}

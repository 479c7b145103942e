/**
 * grpc.health.v1 by hand: its two messages are a string and an enum, each in field 1.
 * The whole server is the service ''; the services that it serves are as healthy as it is.
 */
import { GRPC_STATUS, GrpcError, type GrpcMethod } from './grpc.js';
import type { WatchStream } from './unary-server.js';

const SERVING = Buffer.from([0x08, 1]);
const NOT_SERVING = Buffer.from([0x08, 2]);
const SERVICE_UNKNOWN = Buffer.from([0x08, 3]);

const NOT_FOUND = 5;
const MAX_WATCHES = 1000;

export interface GrpcHealth {
  check: GrpcMethod & { kind: 'unary' };
  /** Tells the state and each change of it until the caller leaves. */
  watch: { path: string; open(request: Buffer, stream: WatchStream): void };
  setServing(isServing: boolean): void;
  /** Ends all watches, those to come too: they would hold a closing server open. */
  endWatches(): void;
}

/** The health of these services, serving at first. */
export function createGrpcHealth(services: ReadonlySet<string>): GrpcHealth {
  /** Each with whether it hears of changes: one of an unknown service stays open too, since it might be served later. */
  const watches = new Map<WatchStream, boolean>();
  let current = SERVING;
  let isEnded = false;
  const isKnown = (service: string) => service === '' || services.has(service);

  function check(message: Buffer): Buffer {
    if (isKnown(serviceIn(message))) return current;
    throw new GrpcError(NOT_FOUND, 'This service is not served here.');
  }

  function open(request: Buffer, call: WatchStream): void {
    if (isEnded || watches.size >= MAX_WATCHES) {
      call.end();
      return;
    }
    const service = serviceName(request);
    const hearsChanges = service !== undefined && isKnown(service);
    watches.set(call, hearsChanges);
    call.once('cancelled', () => watches.delete(call));
    call.write(hearsChanges ? current : SERVICE_UNKNOWN);
  }

  return {
    check: { kind: 'unary', path: '/grpc.health.v1.Health/Check', answer: check },
    watch: { path: '/grpc.health.v1.Health/Watch', open },
    setServing(isServing) {
      const next = isServing ? SERVING : NOT_SERVING;
      if (next === current) return;
      current = next;
      for (const [call, hearsChanges] of watches) if (hearsChanges) call.write(current);
    },
    endWatches() {
      isEnded = true;
      for (const call of watches.keys()) call.end();
      watches.clear();
    },
  };
}

function serviceIn(message: Buffer): string {
  const name = serviceName(message);
  if (name === undefined) throw new GrpcError(GRPC_STATUS.INVALID_ARGUMENT, 'This is no HealthCheckRequest.');
  return name;
}

/** Field 1 of the message; names of 128 bytes and more are none of ours, so the length is always one byte. */
function serviceName(message: Buffer): string | undefined {
  if (message.length === 0) return '';
  const isWhole = message[0] === 0x0a && (message[1] ?? 0x80) < 0x80 && message.length === 2 + (message[1] as number);
  return isWhole ? message.toString('utf8', 2) : undefined;
}

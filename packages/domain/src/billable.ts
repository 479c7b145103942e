import type { Environment } from './api-key.js';

/** Who made the answer: the API behind the gateway, or the gateway itself. */
export type Origin = 'upstream' | 'gateway';

/** What is known of an answer when its stream has ended. */
export interface Answer {
  environment: Environment;
  /** The upstream's first byte arrived: the one sure sign that the upstream answered. */
  upstreamAnswered: boolean;
  statusCode: number;
  /** Of a gRPC call: its grpc-status, or undefined where none arrived. */
  grpcStatus: number | undefined;
  /** The body was cut by the upstream or by its timeout, after the answer had begun. */
  cutByUpstream: boolean;
}

/** gRPC codes that are the server's fault: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const GRPC_SERVER_FAULTS: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15]);
/** Clients take a code above it for UNKNOWN. */
const LAST_GRPC_CODE = 16;
const SWITCHING_PROTOCOLS = 101;

export function originOf(answer: Answer): Origin {
  return answer.upstreamAnswered ? 'upstream' : 'gateway';
}

/** Whether an answer is billed: the rows of the table in docs/data-model.md ("What is billable"), top to bottom. */
export function isBillable(answer: Answer): boolean {
  if (answer.environment === 'test') return false;
  if (!answer.upstreamAnswered) return false;
  if (answer.cutByUpstream) return false;
  const { grpcStatus, statusCode } = answer;
  if (grpcStatus !== undefined) return grpcStatus <= LAST_GRPC_CODE && !GRPC_SERVER_FAULTS.has(grpcStatus);
  if (statusCode === SWITCHING_PROTOCOLS) return true;
  return (statusCode >= 200 && statusCode < 300) || (statusCode >= 400 && statusCode < 500);
}

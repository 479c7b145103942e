import type { CallSpan } from './grpc.js';
import type { TraceParent } from './trace-context.js';

/** A method, in the words of OpenTelemetry's conventions: `envoy.service.auth.v3.Authorization`, `Check`. */
export interface Rpc {
  service: string;
  method: string;
}

export interface RecordedSpan extends CallSpan {
  end(grpcStatus: number): void;
}

/** The seam in front of OpenTelemetry's libraries. Nothing of it throws or waits. */
export interface SpanRecorder {
  /** Begins the span of a call; undefined where too many wait to be sent. */
  begin(rpc: Rpc, parent: TraceParent): RecordedSpan | undefined;
  /** Sends what waits, for half a second at most. Never rejects. */
  close(): Promise<void>;
}

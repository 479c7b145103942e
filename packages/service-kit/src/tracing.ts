/**
 * Spans of calls, as their callers ask for them. The libraries of OpenTelemetry are loaded where there is an endpoint and nowhere
 * else; without one, methods are served as they are.
 */
import { type CallInfo, type CallSpan, GRPC_STATUS, GrpcError, type GrpcMethod } from './grpc.js';
import type { Logger } from './log.js';
import type { Metrics } from './metrics.js';
import type { RecordedSpan, SpanRecorder } from './span-recorder.js';
import { parseTraceparent } from './trace-context.js';
import { createTraceDelivery } from './trace-delivery.js';
import type { TracingSettings } from './tracing-settings.js';
import { VERSION } from './version.js';

export interface Tracing {
  /**
   * The same unary method, with a span for each call whose `traceparent` is sampled; streams stay without. A call that is
   * refused before its message is read has none: refusing is for when there is no time.
   */
  traced(method: GrpcMethod): GrpcMethod;
  /** Sends what waits, for half a second at most. Never rejects. */
  close(): Promise<void>;
}

export interface TracingOptions {
  settings: TracingSettings;
  /** `authz`; traces then come from `tollgate-authz`. */
  service: string;
  log: Logger;
  metrics: Metrics;
}

const OK = 0;
const UNSAMPLED = '-00';

/** Undefined where no endpoint is set. */
export async function openTracing({ settings, service, log, metrics }: TracingOptions): Promise<Tracing | undefined> {
  const delivery = createTraceDelivery(metrics, log);
  const { otlpEndpoint: endpoint, otlpHeaders: headers = {} } = settings;
  if (endpoint === undefined) return undefined;
  const { createOtlpRecorder } = await import('./otlp-recorder.js');
  const recorder = createOtlpRecorder({ endpoint, headers, service: `tollgate-${service}`, version: VERSION, delivery });
  return {
    traced: (method) => (method.kind === 'unary' ? tracedMethod(method, recorder) : method),
    close: () => recorder.close(),
  };
}

type UnaryMethod = GrpcMethod & { kind: 'unary' };

function tracedMethod(method: UnaryMethod, recorder: SpanRecorder): UnaryMethod {
  const { answer } = method;
  const [, service = '', name = ''] = method.path.split('/');
  const rpc = { service, method: name };
  return {
    ...method,
    answer(message: Buffer, call: CallInfo) {
      const header = call.header('traceparent');
      // Most calls are not sampled, and their last flags tell it at once.
      if (header === undefined || header.endsWith(UNSAMPLED)) return answer(message, call);
      const parent = parseTraceparent(header);
      const span = parent?.isSampled === true ? recorder.begin(rpc, parent) : undefined;
      return span === undefined ? answer(message, call) : answeredWithin(span, () => answer(message, tracedCall(call, span)));
    },
  };
}

function tracedCall(call: CallInfo, span: CallSpan): CallInfo {
  return { header: (name) => call.header(name), span };
}

function answeredWithin(span: RecordedSpan, answer: () => Promise<Uint8Array> | Uint8Array): Promise<Uint8Array> | Uint8Array {
  const fail = (error: unknown): never => {
    span.end(error instanceof GrpcError ? error.code : GRPC_STATUS.INTERNAL);
    throw error;
  };
  const succeed = (bytes: Uint8Array): Uint8Array => {
    span.end(OK);
    return bytes;
  };
  let answered: Promise<Uint8Array> | Uint8Array;
  try {
    answered = answer();
  } catch (error) {
    return fail(error);
  }
  return answered instanceof Promise ? answered.then(succeed, fail) : succeed(answered);
}

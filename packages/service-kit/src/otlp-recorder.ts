/** The one place where the libraries of OpenTelemetry are used. Loaded by tracing.ts where there is an endpoint. */
import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { withDeadline } from './deadline.js';
import type { RecordedSpan, SpanRecorder } from './span-recorder.js';
import type { TraceDelivery } from './trace-delivery.js';

export interface OtlpOptions {
  /** Spans go to `/v1/traces` below it. */
  endpoint: string;
  headers: Readonly<Record<string, string>>;
  service: string;
  version: string;
  delivery: TraceDelivery;
}

/** Spans that were begun and not sent yet; together some 2 MiB. */
const MAX_WAITING_SPANS = 2048;
const MAX_BATCH_SPANS = 512;
const BATCH_MS = 1_000;
/** With the library's own tries again. */
const EXPORT_MS = 5_000;
/** The library's deadline is for a connection that is silent; this one holds for a collector that dribbles too. */
const ABANDON_MS = EXPORT_MS + 500;
const MAX_EXPORTS = 4;
const CLOSE_MS = 500;

/** Statuses that are the server's fault: https://opentelemetry.io/docs/specs/semconv/rpc/grpc/ */
const ERRORS: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15]);

/** Sends spans in batches by OTLP over HTTP, in protobuf. What cannot be sent is counted and forgotten. */
export function createOtlpRecorder({ endpoint, headers, service, version, delivery }: OtlpOptions): SpanRecorder {
  let waiting = 0;
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    headers: { ...headers },
    timeoutMillis: EXPORT_MS,
    concurrencyLimit: MAX_EXPORTS,
  });
  const counted = countedExporter(exporter, delivery, (spans) => {
    waiting -= spans;
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service, 'service.version': version }),
    sampler: new AlwaysOnSampler(), // Only sampled calls come here.
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: counted,
        maxQueueSize: MAX_WAITING_SPANS,
        maxExportBatchSize: MAX_BATCH_SPANS,
        scheduledDelayMillis: BATCH_MS,
        exportTimeoutMillis: ABANDON_MS + 500,
      }),
    ],
  });
  const tracer = provider.getTracer('tollgate', version);

  return {
    begin({ service: rpcService, method }, { traceId, spanId }) {
      // Here and not in the library's queue, which does not tell what it drops: a span that is dropped then costs nothing either.
      if (waiting >= MAX_WAITING_SPANS) {
        delivery.onDropped();
        return undefined;
      }
      waiting++;
      const parent = { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
      const attributes = { 'rpc.system': 'grpc', 'rpc.service': rpcService, 'rpc.method': method };
      const context = trace.setSpanContext(ROOT_CONTEXT, parent);
      return recorded(tracer.startSpan(`${rpcService}/${method}`, { kind: SpanKind.SERVER, attributes }, context));
    },
    close: () => withDeadline(provider.shutdown(), CLOSE_MS, 'sending the last traces').catch(() => {}),
  };
}

function recorded(span: Span): RecordedSpan {
  return {
    set(name, value) {
      span.setAttribute(name, value);
    },
    end(grpcStatus) {
      span.setAttribute('rpc.grpc.status_code', grpcStatus);
      if (ERRORS.has(grpcStatus)) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

/** Tells of each batch once, in time whatever the collector does. */
function countedExporter(exporter: SpanExporter, delivery: TraceDelivery, onDone: (spans: number) => void): SpanExporter {
  return {
    export(spans, done) {
      let isDone = false;
      const settle = (failure: Error | undefined): void => {
        if (isDone) return;
        isDone = true;
        clearTimeout(timer);
        onDone(spans.length);
        if (failure === undefined) delivery.onSent(spans.length, performance.now());
        else delivery.onFailed(spans.length, failure.message, performance.now());
        done(failure === undefined ? { code: 0 } : { code: 1, error: failure });
      };
      const timer = setTimeout(() => settle(new Error('the collector did not answer in time')), ABANDON_MS).unref();
      exporter.export(spans, ({ code, error }) => settle(code === 0 ? undefined : (error ?? new Error('not sent'))));
    },
    shutdown: () => exporter.shutdown(),
  };
}

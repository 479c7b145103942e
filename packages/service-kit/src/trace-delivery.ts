import type { Logger } from './log.js';
import type { Metrics } from './metrics.js';

/** What becomes of spans, counted, and told in the log where it changes. */
export interface TraceDelivery {
  onSent(spans: number, nowMs: number): void;
  /** `reason` names no secret. */
  onFailed(spans: number, reason: string, nowMs: number): void;
  onDropped(): void;
}

/** A collector that takes every other batch is still in trouble: it must not fill the log. */
const CALM_MS = 10_000;

/** One line when sending begins to fail, and one when it has worked for ten seconds. `nowMs` is of one rising clock. */
export function createTraceDelivery(metrics: Metrics, log: Logger): TraceDelivery {
  const spans = metrics.counter({
    name: 'tollgate_trace_spans_total',
    help: 'Spans of sampled calls, with OTEL_EXPORTER_OTLP_ENDPOINT: sent; failed, as the collector did not take them; dropped, as too many waited for it.',
    labels: ['result'],
  });
  const sent = spans.with({ result: 'sent' });
  const failed = spans.with({ result: 'failed' });
  const dropped = spans.with({ result: 'dropped' });
  let failedAtMs: number | undefined;
  return {
    onSent(count, nowMs) {
      sent.inc(count);
      if (failedAtMs === undefined || nowMs - failedAtMs < CALM_MS) return;
      failedAtMs = undefined;
      log.info('traces are sent again');
    },
    onFailed(count, reason, nowMs) {
      failed.inc(count);
      if (failedAtMs === undefined) {
        log.warn({ reason }, 'traces cannot be sent to OTEL_EXPORTER_OTLP_ENDPOINT and are dropped; requests are served as ever');
      }
      failedAtMs = nowMs;
    },
    onDropped: () => dropped.inc(),
  };
}

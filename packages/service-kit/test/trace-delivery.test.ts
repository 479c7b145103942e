import { createMetrics } from '@tollgate/service-kit/metrics';
import { expect, test } from 'vitest';
import { createTraceDelivery } from '../src/trace-delivery.js';
import { capturedLog } from './captured-log.js';

test('one line when sending begins to fail, and one when it has worked for ten seconds, however it flickers', async () => {
  const { log, lines } = capturedLog();
  const metrics = createMetrics('test');
  const delivery = createTraceDelivery(metrics, log);
  delivery.onSent(1, 0);
  for (let nowMs = 1_000; nowMs <= 60_000; nowMs += 2_000) {
    delivery.onFailed(2, 'nobody listens', nowMs);
    delivery.onSent(1, nowMs + 1_000);
  }
  delivery.onDropped();
  expect(lines()).toEqual([expect.objectContaining({ level: 'warn', reason: 'nobody listens' })]);
  delivery.onSent(1, 68_999);
  expect(lines()).toHaveLength(1);
  delivery.onSent(1, 69_000);
  delivery.onSent(1, 69_001);
  expect(lines().slice(1)).toEqual([expect.objectContaining({ level: 'info', msg: 'traces are sent again' })]);

  const page = await metrics.text();
  for (const [result, count] of [
    ['sent', 34],
    ['failed', 60],
    ['dropped', 1],
  ])
    expect(page).toMatch(new RegExp(`^tollgate_trace_spans_total\\{result="${result}",.*\\} ${count}$`, 'm'));
});

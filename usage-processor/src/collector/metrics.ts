import type { Metrics } from '@tollgate/service-kit/metrics';

/** How far what came in has got. */
export type Stage = 'received' | 'not_usage' | 'refused' | 'bad_units' | 'unlimited' | 'produced' | 'spooled' | 'too_large';

/** The collector's own metrics, with every label in place from the start. `spool` is asked at each scrape. */
export function createCollectorMetrics(metrics: Metrics, spool: () => { events: number; bytes: number; share: number }) {
  const events = metrics.counter({
    name: 'tollgate_usage_events_total',
    help: 'Usage events by the stage that they reached; refused and not_usage are entries that made none, spooled ones wait for Kafka on disk and are produced later; too_large are those of the produced that Kafka refused for their size: they are lost.',
    labels: ['stage'],
  });
  const stage = (name: Stage) => events.with({ stage: name });
  const stages: Record<Stage, ReturnType<typeof stage>> = {
    received: stage('received'),
    not_usage: stage('not_usage'),
    refused: stage('refused'),
    bad_units: stage('bad_units'),
    unlimited: stage('unlimited'),
    produced: stage('produced'),
    spooled: stage('spooled'),
    too_large: stage('too_large'),
  };
  const failures = metrics
    .counter({ name: 'tollgate_usage_append_failures_total', help: 'Appends that the event log refused; each is tried again.' })
    .with({});
  metrics.gauge({
    name: 'tollgate_usage_spool_events',
    help: 'Events on disk that wait for Kafka; those of before this start are estimated.',
    read: () => spool().events,
  });
  metrics.gauge({
    name: 'tollgate_usage_spool_bytes',
    help: 'Bytes on disk that wait for Kafka; SPOOL_MAX is the bound.',
    read: () => spool().bytes,
  });
  metrics.gauge({
    name: 'tollgate_usage_spool_ratio',
    help: 'How full the spool is, as a share of SPOOL_MAX, 0 to 1. From 0.9 on the collector is not ready, at 1 it stops reading.',
    read: () => spool().share,
  });
  return {
    count: (name: Stage, by: number) => stages[name].inc(by),
    appendFailed: () => failures.inc(),
  };
}

import type { Metrics } from '@tollgate/service-kit/metrics';

/** How far what came in has got. */
export type Stage = 'received' | 'not_usage' | 'refused' | 'bad_units' | 'unlimited' | 'produced';

/** The collector's own metrics, with every label in place from the start. */
export function createCollectorMetrics(metrics: Metrics) {
  const events = metrics.counter({
    name: 'tollgate_usage_events_total',
    help: 'Usage events by the stage that they reached; refused and not_usage are entries that made none.',
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
  };
  const failures = metrics
    .counter({ name: 'tollgate_usage_append_failures_total', help: 'Appends that the event log refused; each is tried again.' })
    .with({});
  return {
    count: (name: Stage, by: number) => stages[name].inc(by),
    appendFailed: () => failures.inc(),
  };
}

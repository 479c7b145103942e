import type { Metrics } from '@tollgate/service-kit/metrics';

export type LineKind = 'event' | 'not_usage' | 'refused' | 'unparsable';

/** The reconciler's own metrics, with every label in place from the start. The last two are asked at each scrape. */
export function createReconcilerMetrics(metrics: Metrics, uncheckedSeconds: () => number, drift: () => number) {
  const counter = (name: `tollgate_${string}`, help: string) => metrics.counter({ name, help }).with({});
  const lines = metrics.counter({
    name: 'tollgate_usage_witness_lines_total',
    help: "Lines of Envoy's file log. unparsable are none of ours, or cut; they are no event and cannot be replayed.",
    labels: ['kind'],
  });
  const kinds: Record<LineKind, ReturnType<typeof lines.with>> = {
    event: lines.with({ kind: 'event' }),
    not_usage: lines.with({ kind: 'not_usage' }),
    refused: lines.with({ kind: 'refused' }),
    unparsable: lines.with({ kind: 'unparsable' }),
  };
  metrics.gauge({
    name: 'tollgate_usage_drift_events',
    help: 'Events of the minute under check that are in the file log and not stored now.',
    read: drift,
  });
  metrics.gauge({
    name: 'tollgate_usage_witness_unchecked_seconds',
    help: 'Age of the oldest minute that is not checked. Some 70 seconds are usual.',
    read: uncheckedSeconds,
  });
  return {
    line: (kind: LineKind) => kinds[kind].inc(),
    replayed: counter(
      'tollgate_usage_replayed_total',
      'Events that were given to the event log a second time, as they were not stored.',
    ),
    minutes: counter(
      'tollgate_usage_witness_minutes_total',
      'Minutes that were checked; a minute with a late line counts again.',
    ),
    gaps: counter('tollgate_usage_gap_events_total', 'Events that were not stored even after replays.'),
    lostBytes: counter('tollgate_usage_witness_lost_bytes_total', 'Bytes of file logs that were gone before they were checked.'),
    unreceived: counter(
      'tollgate_usage_unreceived_events_total',
      'Without a file log: entries that Envoy counted and that are not stored, to within a few.',
    ),
  };
}

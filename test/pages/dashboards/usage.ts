import { type Dashboard, perSecond } from './dashboard.js';

export const USAGE: Dashboard = {
  uid: 'tollgate-usage',
  title: 'Tollgate: usage',
  panels: [
    {
      title: 'Events by stage',
      about: 'received comes in, produced is in the event log, stored is in PostgreSQL. In the long run all three are one line.',
      unit: 'eps',
      queries: { '{{stage}}': perSecond('tollgate_usage_events_total{stage=~"received|not_usage|produced|stored"}', 'stage') },
    },
    {
      title: 'Events that need a look',
      about:
        'duplicate is harmless. refused and bad_units are answers and entries that make no or other usage; dead is kept aside.',
      unit: 'eps',
      queries: {
        '{{stage}}': perSecond('tollgate_usage_events_total{stage=~"duplicate|refused|bad_units|dead|spooled"}', 'stage'),
      },
    },
    {
      title: 'Waiting for the writer',
      about: 'Events in the event log that are not stored yet.',
      unit: 'short',
      queries: { '{{instance}}': 'sum by (instance) (tollgate_usage_lag_events)' },
    },
    {
      title: 'Age of the newest stored event',
      about: 'Rises where nothing is stored, and where nothing happens.',
      unit: 's',
      queries: { age: 'time() - max(tollgate_usage_newest_stored_timestamp_seconds > 0)' },
    },
    {
      title: 'Spool',
      about: 'What waits on disk for Kafka, as a share of SPOOL_MAX.',
      unit: 'percentunit',
      queries: { '{{instance}}': 'max by (instance) (tollgate_usage_spool_ratio)' },
    },
    {
      title: 'Troubles of collector and writer',
      about: 'Appends that the event log refused, and batches that the database did not keep; both are tried again.',
      unit: 'eps',
      queries: {
        'append refused': perSecond('tollgate_usage_append_failures_total'),
        'batch {{problem}}': perSecond('tollgate_usage_writer_problems_total', 'problem'),
      },
    },
    {
      title: 'Proxied and not recorded',
      about: 'In the file log and not stored, of the minute under check. 0 is the promise.',
      unit: 'short',
      queries: { '{{instance}}': 'max by (instance) (tollgate_usage_drift_events)' },
    },
    {
      title: 'Replayed, and missing for good',
      about: 'What the stream lost and the file log brought back; what even that did not, or without a file cannot.',
      unit: 'eps',
      queries: {
        replayed: perSecond('tollgate_usage_replayed_total'),
        gap: perSecond('tollgate_usage_gap_events_total'),
        unreceived: perSecond('tollgate_usage_unreceived_events_total'),
      },
    },
    {
      title: 'How far the reconciler is behind',
      about: 'Some 70 seconds are usual.',
      unit: 's',
      queries: { '{{instance}}': 'max by (instance) (tollgate_usage_witness_unchecked_seconds)' },
    },
    {
      title: 'Access log of Envoy',
      about: 'Entries written to the stream, and dropped as its buffer was full.',
      unit: 'eps',
      queries: {
        written: perSecond('envoy_access_logs_grpc_access_log_logs_written'),
        dropped: perSecond('envoy_access_logs_grpc_access_log_logs_dropped'),
      },
    },
  ],
};

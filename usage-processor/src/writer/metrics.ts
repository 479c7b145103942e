import type { Metrics } from '@tollgate/service-kit/metrics';
import type { StoredStage } from './store-batch.js';

/** The writer's own metrics, with every label in place from the start. `lag` is asked at each scrape. */
export function createWriterMetrics(metrics: Metrics, lag: () => number) {
  const events = metrics.counter({
    name: 'tollgate_usage_events_total',
    help: 'Usage events by the stage that they reached.',
    labels: ['stage'],
  });
  const stage = (name: StoredStage) => events.with({ stage: name });
  const stages: Record<StoredStage, ReturnType<typeof stage>> = {
    stored: stage('stored'),
    duplicate: stage('duplicate'),
    dead: stage('dead'),
  };
  metrics.gauge({ name: 'tollgate_usage_lag_events', help: 'Events in the event log that wait for the writer.', read: lag });
  let newestMs = 0;
  metrics.gauge({
    name: 'tollgate_usage_newest_stored_timestamp_seconds',
    help: 'When the newest event that was stored since the start of this process began, in Unix seconds; 0 before the first.',
    read: () => newestMs / 1000,
  });
  const problems = metrics.counter({
    name: 'tollgate_usage_writer_problems_total',
    help: 'retry: a batch was not kept and is read again. offset_out_of_range: the log lacks the stored offset; reading stopped.',
    labels: ['problem'],
  });
  const copies = metrics.counter({
    name: 'tollgate_usage_dead_letter_copies_total',
    help: 'Dead letters that were copied to their topic, and those whose copy was lost: the table has them all.',
    labels: ['outcome'],
  });
  const copied = copies.with({ outcome: 'copied' });
  const lost = copies.with({ outcome: 'lost' });
  return {
    countCopies: (outcome: 'copied' | 'lost', by: number) => (outcome === 'copied' ? copied : lost).inc(by),
    count: (name: StoredStage, by: number) => stages[name].inc(by),
    /** Late events and replays do not set it back. */
    saw(events: readonly { time: string }[]) {
      for (const { time } of events) newestMs = Math.max(newestMs, Date.parse(time));
    },
    retries: problems.with({ problem: 'retry' }),
    stopped: problems.with({ problem: 'offset_out_of_range' }),
  };
}

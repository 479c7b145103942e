import { type Dashboard, perSecond, quantile } from './dashboard.js';

export const LIMITS: Dashboard = {
  uid: 'tollgate-limits',
  title: 'Tollgate: limits',
  panels: [
    {
      title: 'Decisions',
      about: 'shadow passed, since the limit that tripped is in shadow; failed passed, since no limit could be read.',
      unit: 'reqps',
      queries: { '{{result}}': perSecond('tollgate_ratelimit_decisions_total', 'result') },
    },
    {
      title: 'Which limit said no',
      about: 'minute is 429 rate_limit_exceeded, day and month are quota_exceeded.',
      unit: 'reqps',
      queries: { '{{limit}}': perSecond('tollgate_ratelimit_decisions_total{result="limited"}', 'limit') },
    },
    {
      title: 'Which limit would have said no',
      about: 'Limits in shadow.',
      unit: 'reqps',
      queries: { '{{limit}}': perSecond('tollgate_ratelimit_decisions_total{result="shadow"}', 'limit') },
    },
    {
      title: 'Time of a take',
      about: 'How long Redis keeps a decision waiting. Beyond RATELIMIT_STORE_TIMEOUT (8 ms) the local share decides.',
      unit: 's',
      queries: {
        median: quantile(0.5, 'tollgate_ratelimit_store_duration_seconds_bucket'),
        '99 %': quantile(0.99, 'tollgate_ratelimit_store_duration_seconds_bucket'),
      },
    },
    {
      title: 'Without Redis',
      about: '1 while a breaker is open.',
      unit: 'short',
      queries: { '{{instance}}': 'max by (instance) (tollgate_ratelimit_degraded)' },
    },
    {
      title: 'Takes that Redis did not decide',
      about: 'Late, failed, or not asked: as a share of all.',
      unit: 'percentunit',
      queries: {
        '{{instance}}': `${perSecond('tollgate_ratelimit_degraded_takes_total', 'instance')} / ${perSecond('tollgate_ratelimit_store_duration_seconds_count', 'instance')}`,
      },
    },
    {
      title: 'Requests that no limiter saw',
      about: 'Envoy lets them through when ratelimit is gone or slower than 50 ms.',
      unit: 'reqps',
      queries: { unlimited: perSecond('tollgate_usage_events_total{stage="unlimited"}') },
    },
    {
      title: 'Rules of other domains',
      about: 'Descriptors by the result of their rule; there with RATELIMIT_CONFIG.',
      unit: 'reqps',
      queries: { '{{result}}': perSecond('tollgate_ratelimit_rule_decisions_total', 'result') },
    },
  ],
};

import { type Dashboard, perSecond, quantile } from './dashboard.js';

const EDGE = 'envoy_http_conn_manager_prefix="edge"';
const UPSTREAM = 'envoy_cluster_name=~"upstream-.*"';

export const GATEWAY: Dashboard = {
  uid: 'tollgate-gateway',
  title: 'Tollgate: gateway',
  panels: [
    {
      title: 'Requests by status',
      about: 'What callers got, from the gateway or from the API behind it.',
      unit: 'reqps',
      queries: {
        '{{envoy_response_code_class}}xx': perSecond(`envoy_http_downstream_rq_xx{${EDGE}}`, 'envoy_response_code_class'),
      },
    },
    {
      title: 'Time of a request',
      about: 'From its first byte to the last byte of its answer, as the caller sees it.',
      unit: 's',
      queries: {
        median: `${quantile(0.5, `envoy_http_downstream_rq_time_bucket{${EDGE}}`)} / 1000`,
        '99 %': `${quantile(0.99, `envoy_http_downstream_rq_time_bucket{${EDGE}}`)} / 1000`,
      },
    },
    {
      title: 'Who was let in',
      about: 'Decisions of authz. unavailable and shed are 503.',
      unit: 'reqps',
      queries: { '{{decision}}': perSecond('tollgate_authz_decisions_total', 'decision') },
    },
    {
      title: 'Why others were not',
      about: 'Denials by their reason, which is the error code that callers see.',
      unit: 'reqps',
      queries: { '{{reason}}': perSecond('tollgate_authz_decisions_total{decision="denied"}', 'reason') },
    },
    {
      title: 'Time of a decision of authz',
      about: 'Inside the service. Envoy waits half a second.',
      unit: 's',
      queries: {
        median: quantile(0.5, 'tollgate_authz_duration_seconds_bucket'),
        '99 %': quantile(0.99, 'tollgate_authz_duration_seconds_bucket'),
      },
    },
    {
      title: 'Key cache',
      about: 'hit is from memory, miss asks the database, refused is an unknown key beyond the budget: a scan.',
      unit: 'reqps',
      queries: { '{{result}}': perSecond('tollgate_key_cache_lookups_total', 'result') },
    },
    {
      title: 'Trust in cached keys',
      about: '0: changes are pushed. 1: they are polled. 2: the database is unreachable.',
      unit: 'short',
      queries: { '{{instance}}': 'max by (instance) (tollgate_cache_trust_state)' },
    },
    {
      title: 'How fast a revocation arrives',
      about: 'From the statement to the service. Less than a second is promised.',
      unit: 's',
      queries: { '99 %': quantile(0.99, 'tollgate_revocation_delay_seconds_bucket') },
    },
    {
      title: 'The API behind: answers by status',
      about: '5xx is recorded and not billed.',
      unit: 'reqps',
      queries: {
        '{{envoy_cluster_name}} {{envoy_response_code_class}}xx': perSecond(
          `envoy_cluster_upstream_rq_xx{${UPSTREAM}}`,
          'envoy_cluster_name, envoy_response_code_class',
        ),
      },
    },
    {
      title: 'The API behind: time',
      about: 'What of the time of a request is not ours, 99 %.',
      unit: 's',
      queries: {
        '{{envoy_cluster_name}}': `${quantile(0.99, `envoy_cluster_upstream_rq_time_bucket{${UPSTREAM}}`, 'envoy_cluster_name')} / 1000`,
      },
    },
    {
      title: 'Refused for want of room, and unanswered',
      about: 'Envoy lets 1,024 requests for each authz be under way; unanswered are those that authz did not decide in time.',
      unit: 'reqps',
      queries: {
        refused: perSecond('envoy_cluster_upstream_rq_active_overflow{envoy_cluster_name="authz"}'),
        unanswered: perSecond('envoy_http_ext_authz_error'),
      },
    },
    {
      title: 'Healthy hosts',
      about: 'Where Envoy sends requests, by its own health checks.',
      unit: 'short',
      queries: { '{{envoy_cluster_name}}': 'min by (envoy_cluster_name) (envoy_cluster_membership_healthy)' },
    },
  ],
};

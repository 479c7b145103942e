/** What each alert is tried on: recorded series, a value a minute, in promtool's notation. */
export type Samples = Readonly<Record<string, string>>;

export interface AlertCase {
  /** It rings on each of these, and nothing else does but what is named in `also`. */
  fires: readonly Samples[];
  /** The same series, just below the threshold or for too short a time: nothing rings. */
  silent: readonly Samples[];
  also?: readonly string[];
}

/** 60 a minute are one a second. */
const perSecond = (rate: number): string => `0+${rate * 60}x40`;
const steady = (value: number): string => `${value}x40`;
/** One at minute 25: half of them in the five minutes before the look. */
const once = (count: number): string => `0x24 ${count}x15`;
/** Only at the moment of the look: too short to be worth a call. */
const blip = (to: number, from = 0): string => `${from}x29 ${to}x10`;
/** The series of one name, with a value for each of its labels. */
const of = (series: string, samples: string): Samples => ({ [series]: samples });

const authz = (decision: string, reason = 'ok'): string =>
  `tollgate_authz_decisions_total{decision="${decision}",reason="${reason}",service="authz",job="authz",instance="authz:9101"}`;
const UNAVAILABLE = authz('unavailable', 'authorization_unavailable');
const SHED = authz('shed', 'authorization_unavailable');
const AUTHZ_OVERFLOW = 'envoy_cluster_upstream_rq_active_overflow{envoy_cluster_name="authz",job="envoy",instance="envoy:9901"}';
const AUTHZ_ERROR = 'envoy_http_ext_authz_error{envoy_http_conn_manager_prefix="edge",job="envoy",instance="envoy:9901"}';
const REQUESTS = 'envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix="edge",job="envoy",instance="envoy:9901"}';
const TRUST = 'tollgate_cache_trust_state{service="authz",job="authz",instance="authz:9101"}';
const REVOCATION = (le: string) =>
  `tollgate_revocation_delay_seconds_bucket{le="${le}",service="authz",job="authz",instance="authz:9101"}`;
const LOOKUPS = 'tollgate_key_cache_lookups_total{result="refused",service="authz",job="authz",instance="authz:9101"}';
const UPSTREAM = 'envoy_cluster_name="upstream-default",job="envoy",instance="envoy:9901"';
const UPSTREAM_5XX = `envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",${UPSTREAM}}`;
const UPSTREAM_ALL = `envoy_cluster_upstream_rq_completed{${UPSTREAM}}`;
const limits = (name: string): string => `${name}{service="ratelimit",job="ratelimit",instance="ratelimit:9102"}`;
const DEGRADED = limits('tollgate_ratelimit_degraded');
const DEGRADED_TAKES = limits('tollgate_ratelimit_degraded_takes_total');
const TAKES = limits('tollgate_ratelimit_store_duration_seconds_count');
const FAILED =
  'tollgate_ratelimit_decisions_total{result="failed",limit="none",service="ratelimit",job="ratelimit",instance="ratelimit:9102"}';
const REFUSED_RULES =
  'tollgate_ratelimit_config_reloads_total{result="refused",service="ratelimit",job="ratelimit",instance="ratelimit:9102"}';
const collected = (stage: string): string =>
  `tollgate_usage_events_total{stage="${stage}",service="collector",job="collector",instance="collector:9103"}`;
const stored = (stage: string): string =>
  `tollgate_usage_events_total{stage="${stage}",service="writer",job="writer",instance="writer:9104"}`;
const collector = (name: string): string => `${name}{service="collector",job="collector",instance="collector:9103"}`;
const writer = (name: string): string => `${name}{service="writer",job="writer",instance="writer:9104"}`;
const problem = (kind: string): string =>
  `tollgate_usage_writer_problems_total{problem="${kind}",service="writer",job="writer",instance="writer:9104"}`;
const reconciler = (name: string): string => `${name}{service="reconciler",job="reconciler",instance="reconciler:9105"}`;
const LOG_DROPPED = 'envoy_access_logs_grpc_access_log_logs_dropped{job="envoy",instance="envoy:9901"}';
const LAG = writer('tollgate_usage_lag_events');
const NEWEST = writer('tollgate_usage_newest_stored_timestamp_seconds');
const SPOOL = collector('tollgate_usage_spool_ratio');
const APPEND_FAILURES = collector('tollgate_usage_append_failures_total');
const LOST_BYTES = reconciler('tollgate_usage_witness_lost_bytes_total');
const UNPARSABLE =
  'tollgate_usage_witness_lines_total{kind="unparsable",service="reconciler",job="reconciler",instance="reconciler:9105"}';
const EXPIRY = 'tollgate_tls_certificate_expiry_timestamp_seconds{service="authz",job="authz",instance="authz:9101"}';
const ENVOY_DAYS = 'envoy_server_days_until_first_cert_expiring{job="envoy",instance="envoy:9901"}';
const KEPT = 'tollgate_tls_reloads_total{outcome="kept",service="authz",job="authz",instance="authz:9101"}';
const LATE = 'nodejs_eventloop_lag_p99_seconds{service="ratelimit",job="ratelimit",instance="ratelimit:9102"}';
const OPEN_FILES = limits('process_open_fds');
const MAX_FILES = limits('process_max_fds');
const STARTED = limits('process_start_time_seconds');
const DAY = 86_400;

export const ALERT_CASES: Readonly<Record<string, AlertCase>> = {
  TollgateServiceDown: {
    fires: [of('up{job="writer",instance="writer:9104"}', steady(0)), of('up{job="envoy",instance="envoy:9901"}', '1x25 0x15')],
    silent: [of('up{job="writer",instance="writer:9104"}', steady(1)), of('up{job="envoy",instance="envoy:9901"}', blip(0, 1))],
  },
  TollgateAuthzUnavailable: {
    fires: [{ [UNAVAILABLE]: perSecond(1.1), [authz('allowed')]: perSecond(98) }],
    silent: [
      { [UNAVAILABLE]: perSecond(0.9), [authz('allowed')]: perSecond(98) },
      { [UNAVAILABLE]: blip(6_000), [authz('allowed')]: perSecond(98) },
    ],
  },
  TollgateAuthzUnreached: {
    fires: [{ [AUTHZ_ERROR]: perSecond(1.1), [REQUESTS]: perSecond(100) }],
    silent: [
      { [AUTHZ_ERROR]: perSecond(0.9), [REQUESTS]: perSecond(100) },
      { [AUTHZ_ERROR]: blip(6_000), [REQUESTS]: perSecond(100) },
    ],
  },
  TollgateAuthzOverloaded: {
    fires: [
      { [SHED]: perSecond(1), [authz('allowed')]: perSecond(100), [AUTHZ_OVERFLOW]: steady(7) },
      { [SHED]: steady(7), [authz('allowed')]: perSecond(100), [AUTHZ_OVERFLOW]: perSecond(1) },
    ],
    silent: [{ [SHED]: blip(600), [authz('allowed')]: perSecond(100), [AUTHZ_OVERFLOW]: steady(7) }],
  },
  TollgateDatabaseUnreachable: { fires: [of(TRUST, steady(2))], silent: [of(TRUST, blip(2))] },
  TollgateChangesPolled: { fires: [of(TRUST, steady(1))], silent: [of(TRUST, '0x26 1x10')] },
  TollgateRevocationSlow: {
    fires: [{ [REVOCATION('1')]: '0+988x40', [REVOCATION('2')]: '0+1000x40', [REVOCATION('+Inf')]: '0+1000x40' }],
    silent: [
      { [REVOCATION('1')]: '0+992x40', [REVOCATION('2')]: '0+1000x40', [REVOCATION('+Inf')]: '0+1000x40' },
      { [REVOCATION('1')]: steady(0), [REVOCATION('2')]: blip(1_000), [REVOCATION('+Inf')]: blip(1_000) },
    ],
  },
  TollgateKeyScan: { fires: [of(LOOKUPS, perSecond(1.1))], silent: [of(LOOKUPS, perSecond(0.9)), of(LOOKUPS, blip(600))] },
  TollgateUpstreamFailing: {
    fires: [{ [UPSTREAM_5XX]: perSecond(5.5), [UPSTREAM_ALL]: perSecond(100) }],
    silent: [
      { [UPSTREAM_5XX]: perSecond(4.5), [UPSTREAM_ALL]: perSecond(100) },
      { [UPSTREAM_5XX]: blip(6_000), [UPSTREAM_ALL]: perSecond(100) },
    ],
  },

  TollgateRatelimitDegraded: {
    fires: [{ [DEGRADED]: steady(1), [DEGRADED_TAKES]: perSecond(100), [TAKES]: perSecond(100) }],
    silent: [of(DEGRADED, blip(1))],
  },
  TollgateStoreLate: {
    fires: [{ [DEGRADED_TAKES]: perSecond(1.1), [TAKES]: perSecond(100), [DEGRADED]: steady(0) }],
    silent: [
      { [DEGRADED_TAKES]: perSecond(0.9), [TAKES]: perSecond(100), [DEGRADED]: steady(0) },
      { [DEGRADED_TAKES]: blip(6_000), [TAKES]: perSecond(100), [DEGRADED]: steady(0) },
    ],
  },
  TollgateRequestsUnlimited: {
    fires: [{ [collected('unlimited')]: perSecond(0.11), [collected('received')]: perSecond(100) }],
    silent: [
      { [collected('unlimited')]: perSecond(0.09), [collected('received')]: perSecond(100) },
      { [collected('unlimited')]: blip(600), [collected('received')]: perSecond(100) },
    ],
  },
  TollgateLimitsUnreadable: { fires: [of(FAILED, perSecond(0.1))], silent: [of(FAILED, steady(7)), of(FAILED, blip(600))] },
  TollgateRulesRefused: { fires: [of(REFUSED_RULES, once(1))], silent: [of(REFUSED_RULES, steady(1))] },

  TollgateUsageLag: {
    fires: [
      { [LAG]: steady(33_000), [stored('stored')]: perSecond(100) },
      { [LAG]: steady(1_100), [stored('stored')]: steady(0) },
    ],
    silent: [
      { [LAG]: steady(27_000), [stored('stored')]: perSecond(100) },
      { [LAG]: steady(900), [stored('stored')]: steady(0) },
      { [LAG]: blip(33_000), [stored('stored')]: perSecond(100) },
    ],
  },
  TollgateUsageStale: {
    fires: [{ [NEWEST]: '-330+60x40', [collected('produced')]: perSecond(1) }],
    silent: [
      { [NEWEST]: '-270+60x40', [collected('produced')]: perSecond(1) },
      // Nobody calls; the first who does after an hour; and before anything was stored.
      { [NEWEST]: steady(60), [collected('produced')]: steady(7) },
      { [NEWEST]: steady(60), [collected('produced')]: blip(7) },
      { [NEWEST]: steady(0), [collected('produced')]: perSecond(1) },
    ],
  },
  TollgateSpoolFilling: { fires: [of(SPOOL, steady(0.26))], silent: [of(SPOOL, steady(0.24)), of(SPOOL, blip(0.26))] },
  TollgateSpoolNearlyFull: {
    fires: [of(SPOOL, '0x27 0.76x10')],
    silent: [of(SPOOL, '0x27 0.74x10'), of(SPOOL, blip(0.76))],
  },
  TollgateEventLogRefuses: {
    fires: [of(APPEND_FAILURES, perSecond(0.1))],
    silent: [of(APPEND_FAILURES, steady(7)), of(APPEND_FAILURES, blip(60))],
  },
  TollgateAccessLogDropped: {
    fires: [of(LOG_DROPPED, perSecond(0.1))],
    silent: [of(LOG_DROPPED, steady(7)), of(LOG_DROPPED, blip(60))],
  },
  TollgateEntriesRefused: { fires: [of(collected('refused'), once(1))], silent: [of(collected('refused'), steady(1))] },
  TollgateDeadLetters: { fires: [of(stored('dead'), once(1))], silent: [of(stored('dead'), steady(1))] },
  TollgateWriterRetries: {
    fires: [of(problem('retry'), perSecond(0.1))],
    silent: [of(problem('retry'), '0x23 0+3x16')],
  },
  TollgateWriterStopped: {
    fires: [of(problem('offset_out_of_range'), steady(1))],
    silent: [of(problem('offset_out_of_range'), steady(0))],
  },
  TollgateUsageDrift: {
    fires: [of(reconciler('tollgate_usage_drift_events'), steady(1))],
    silent: [of(reconciler('tollgate_usage_drift_events'), '1x15 0x5 1x20')],
  },
  TollgateUsageGap: {
    fires: [of(reconciler('tollgate_usage_gap_events_total'), once(1))],
    silent: [of(reconciler('tollgate_usage_gap_events_total'), steady(1))],
  },
  TollgateUsageReplayed: {
    fires: [of(reconciler('tollgate_usage_replayed_total'), '0+1x40')],
    silent: [of(reconciler('tollgate_usage_replayed_total'), '0x26 9x13')],
  },
  TollgateWitnessBehind: {
    fires: [of(reconciler('tollgate_usage_witness_unchecked_seconds'), steady(610))],
    silent: [
      of(reconciler('tollgate_usage_witness_unchecked_seconds'), steady(590)),
      of(reconciler('tollgate_usage_witness_unchecked_seconds'), blip(610)),
    ],
  },
  TollgateWitnessDamaged: {
    fires: [
      { [LOST_BYTES]: once(1), [UNPARSABLE]: steady(1) },
      { [LOST_BYTES]: steady(1), [UNPARSABLE]: once(1) },
    ],
    silent: [{ [LOST_BYTES]: steady(1), [UNPARSABLE]: steady(1) }],
  },
  TollgateUsageUnreceived: {
    fires: [of(reconciler('tollgate_usage_unreceived_events_total'), once(12))],
    silent: [of(reconciler('tollgate_usage_unreceived_events_total'), once(8))],
  },

  TollgateEventLoopLate: { fires: [of(LATE, steady(0.055))], silent: [of(LATE, steady(0.045)), of(LATE, blip(0.055))] },
  TollgateCertificateEnds: {
    fires: [
      { [EXPIRY]: steady(6 * DAY), [ENVOY_DAYS]: steady(8) },
      { [EXPIRY]: steady(8 * DAY), [ENVOY_DAYS]: steady(6) },
    ],
    silent: [{ [EXPIRY]: steady(8 * DAY), [ENVOY_DAYS]: steady(8) }],
  },
  TollgateCertificateRefused: { fires: [of(KEPT, once(1))], silent: [of(KEPT, steady(1))] },
  TollgateFileHandles: {
    fires: [{ [OPEN_FILES]: steady(850), [MAX_FILES]: steady(1000) }],
    silent: [
      { [OPEN_FILES]: steady(750), [MAX_FILES]: steady(1000) },
      { [OPEN_FILES]: blip(850), [MAX_FILES]: steady(1000) },
    ],
  },
  TollgateRestarting: { fires: [of(STARTED, '0x20 1200x3 1400x3 1600x14')], silent: [of(STARTED, '0x20 1200x6 1600x14')] },
};

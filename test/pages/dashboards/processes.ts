import type { Dashboard } from './dashboard.js';

const WHO = '{{job}} {{instance}}';

export const PROCESSES: Dashboard = {
  uid: 'tollgate-processes',
  title: 'Tollgate: processes',
  panels: [
    { title: 'Up', about: '1 where Prometheus gets an answer.', unit: 'short', queries: { [WHO]: 'up' } },
    {
      title: 'CPU',
      about: '1 is one core; each service has one for its event loop.',
      unit: 'percentunit',
      queries: { [WHO]: 'rate(process_cpu_seconds_total[$__rate_interval])' },
    },
    {
      title: 'Event loop, 99 %',
      about: 'How late work begins. Above 50 ms Envoy lets requests pass unlimited.',
      unit: 's',
      queries: { [WHO]: 'nodejs_eventloop_lag_p99_seconds' },
    },
    {
      title: 'Memory',
      about: 'Resident, of each service.',
      unit: 'bytes',
      queries: { [WHO]: 'process_resident_memory_bytes', 'envoy {{instance}}': 'envoy_server_memory_allocated' },
    },
    {
      title: 'Heap in use',
      about: 'A saw is healthy, a ramp is not.',
      unit: 'bytes',
      queries: { [WHO]: 'nodejs_heap_size_used_bytes' },
    },
    {
      title: 'Garbage collection',
      about: 'The share of time that goes into it.',
      unit: 'percentunit',
      queries: { [WHO]: 'sum by (job, instance) (rate(nodejs_gc_duration_seconds_sum[$__rate_interval]))' },
    },
    {
      title: 'Open files and connections',
      about: 'As a share of what the process may have; Linux only.',
      unit: 'percentunit',
      queries: { [WHO]: 'process_open_fds / process_max_fds' },
    },
    {
      title: 'Time since the start',
      about: 'What drops to 0 has started anew.',
      unit: 's',
      queries: { [WHO]: 'time() - process_start_time_seconds', 'envoy {{instance}}': 'envoy_server_uptime' },
    },
    {
      title: 'Certificates: time left',
      about: 'New files are taken up without a restart.',
      unit: 's',
      queries: {
        [WHO]: 'tollgate_tls_certificate_expiry_timestamp_seconds - time()',
        'envoy {{instance}}': '(envoy_server_days_until_first_cert_expiring < 10000) * 86400',
      },
    },
    {
      title: 'Versions',
      about: 'More than one line while a new version is rolled out.',
      unit: 'short',
      queries: { '{{service}} {{version}}': 'count by (service, version) (tollgate_build_info)' },
    },
  ],
};

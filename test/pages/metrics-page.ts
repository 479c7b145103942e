import type { Series } from '../observe/series.js';
import type { Exported, ProcessName } from '../observe/whole-system.js';

/** docs/metrics.md, made from what the running services export. */
export function metricsPage(exported: Exported): string {
  const sections = SERVICES.map(([name, about]) => {
    const own = exported[name].filter((series) => !isOfEveryService(series, exported));
    return `## ${name}\n\n${about}\n\n${table(own)}`;
  });
  const common = exported.authz.filter((series) => isOfEveryService(series, exported));
  return `${HEAD}\n${sections.join('\n\n')}\n\n## Every service\n\n${COMMON}\n\n${table(common)}\n`;
}

/** Of the process itself, by Linux alone: the page is the same wherever it is made. */
export const LINUX_ONLY: readonly string[] = [
  'process_virtual_memory_bytes',
  'process_heap_bytes',
  'process_open_fds',
  'process_max_fds',
];

const SERVICES: readonly (readonly [ProcessName, string])[] = [
  ['authz', 'Who is calling. Default: `127.0.0.1:9101/metrics`.'],
  ['ratelimit', 'Whether it may. Default: `127.0.0.1:9102/metrics`. The series of rules are there with `RATELIMIT_CONFIG`.'],
  ['collector', 'What was used, from Envoy to the event log. Default: `127.0.0.1:9103/metrics`.'],
  ['writer', 'From the event log to PostgreSQL. Default: `127.0.0.1:9104/metrics`.'],
  ['reconciler', 'Whether all usage is recorded. Default: `127.0.0.1:9105/metrics`, one beside each Envoy.'],
];

const HEAD = `<!-- Made from the running services: npm run docs -->
# Metrics

Each service has a page for Prometheus at \`/metrics\` of its \`ADMIN_LISTEN\`; Envoy has its own at \`/stats/prometheus\` of its admin port. Scrape
configuration, alerts and dashboards are in [deploy](../deploy/prometheus/prometheus.yml); [operations](operations.md#what-to-watch-and-what-to-do-when-it-rings) says
what to do when an alert rings.

Every series carries \`service\`. Labels have few values, listed here; none is a key, an organization or a path. Counters are there from the
start, at 0. \`tollgate_tls_…\` is there where the service has TLS.
`;

const COMMON = `Of the process, and of Node. Linux has ${LINUX_ONLY.map((name) => `\`${name}\``).join(', ')} besides.`;

/** What depends on the moment, the build or the user's own rules is not listed. */
const OPEN_LABELS: Readonly<Record<string, string>> = {
  version: '`version`',
  rule: '`rule` = none, other, and the names of the rules',
};

function isOfEveryService({ name }: Series, exported: Exported): boolean {
  return SERVICES.every(([service]) => exported[service].some((other) => other.name === name));
}

function table(series: readonly Series[]): string {
  const shown = series.filter(({ name }) => !LINUX_ONLY.includes(name)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const rows = shown.map(
    (each) => `| \`${each.name}\` | ${each.type} | ${unitOf(each)} | ${labelsOf(each)} | ${cell(each.help)} |`,
  );
  return ['| series | type | unit | labels | |', '|---|---|---|---|---|', ...rows].join('\n');
}

/** The unit stands last in a name, but for counters of things. */
function unitOf({ name, type }: Series): string {
  const base = name.replace(/_total$/, '');
  if (base.endsWith('_timestamp_seconds') || base.endsWith('start_time_seconds')) return 'Unix seconds';
  const unit = /_(seconds|bytes|ratio|events)$/.exec(base)?.[1];
  return unit ?? (type === 'counter' ? 'count' : '');
}

function labelsOf({ name, labels }: Series): string {
  if (!name.startsWith('tollgate_')) return '';
  return [...labels]
    .filter(([label]) => label !== 'le')
    .map(([label, values]) => OPEN_LABELS[label] ?? `\`${label}\` = ${[...values].join(', ')}`)
    .join('; ');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

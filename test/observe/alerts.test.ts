import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SETTINGS as AUTHZ } from '@tollgate/authz-service/config';
import { SETTINGS as RATELIMIT } from '@tollgate/ratelimit-service/config';
import { promtool, type Verdict } from '@tollgate/testing/promtool';
import { newRunFolder } from '@tollgate/testing/run-environment';
import { SETTINGS as COLLECTOR } from '@tollgate/usage-processor/collector/config';
import { SETTINGS as RECONCILER } from '@tollgate/usage-processor/reconciler/config';
import { SETTINGS as WRITER } from '@tollgate/usage-processor/writer/config';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ALERT_CASES, type Samples } from './alert-cases.js';
import { createSeriesCheck } from './known-series.js';
import { askedBy } from './promql.js';
import { exportedSeries } from './whole-system.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROMETHEUS = join(ROOT, 'deploy', 'prometheus');
const RULES = join(PROMETHEUS, 'alerts.yml');

/** Of `config render --metrics-port`, next to those of the services. */
const METRICS_PORT = '9106';

interface Rule {
  alert: string;
  expr: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}
interface Scrape {
  job_name: string;
  metrics_path?: string;
  static_configs: { targets: string[] }[];
}

const { groups } = parse(await readFile(RULES, 'utf8')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const { scrape_configs: scrapes } = parse(await readFile(join(PROMETHEUS, 'prometheus.yml'), 'utf8')) as {
  scrape_configs: Scrape[];
};
// Finds it, or fetches it, which may take longer than a test.
await promtool(['--version'], PROMETHEUS);
const problemsOf = createSeriesCheck(await exportedSeries(), { jobs: scrapes.map(({ job_name }) => job_name) });

test('Prometheus takes its configuration and every rule', async () => {
  mustBeGood(await promtool(['check', 'config', 'prometheus.yml'], PROMETHEUS));
});

test('every process is scraped where it serves by default', () => {
  const portOf = ({ default: address = '' }: { default: string | undefined }) => address.split(':')[1];
  const expected = {
    ...{ authz: portOf(AUTHZ.adminListen), ratelimit: portOf(RATELIMIT.adminListen), collector: portOf(COLLECTOR.adminListen) },
    ...{ writer: portOf(WRITER.adminListen), reconciler: portOf(RECONCILER.adminListen) },
    envoy: METRICS_PORT,
  };
  const targets = scrapes.map(({ job_name, static_configs }) => [job_name, static_configs.flatMap(({ targets: all }) => all)]);
  expect(Object.fromEntries(targets)).toEqual(
    Object.fromEntries(Object.entries(expected).map(([name, port]) => [name, [`${name}:${port}`]])),
  );
  const paths = scrapes.map(({ job_name, metrics_path = '/metrics' }) => [job_name, metrics_path]);
  expect(paths.filter(([, path]) => path !== '/metrics')).toEqual([['envoy', '/stats/prometheus']]);
});

test.each(rules.map((rule) => [rule.alert, rule] as const))('%s asks only for what is exported', (_, { expr }) => {
  expect(problemsOf(expr)).toEqual([]);
});

test('a series, a label or a value that nobody exports is found', () => {
  expect(problemsOf('rate(tollgate_authz_decision_total[5m]) > 0')).toEqual(['nobody exports tollgate_authz_decision_total']);
  expect(problemsOf('up{jobs="authz"}')).toEqual(['up has no label jobs']);
  expect(problemsOf('up{job=~"authz|gone"}')).toEqual(['job of up is never gone']);
  expect(problemsOf('tollgate_usage_events_total{stage="lost"}')).toEqual(['stage of tollgate_usage_events_total is never lost']);
  expect(problemsOf('sum by (organization) (up)')).toEqual(['no series has the label organization']);
  expect(askedBy('sum by (a) (rate(x_total{b="(c"}[5m] offset 1h)) > 2e3 and on () y').selectors).toEqual([
    { name: 'x_total', matchers: [{ label: 'b', op: '=', value: '(c' }] },
    { name: 'y', matchers: [] },
  ]);
});

test('every rule says how urgent it is, what is wrong, and where to read what to do', async () => {
  for (const { alert, labels, annotations } of rules) {
    expect(labels['severity'], alert).toMatch(/^(critical|warning)$/);
    expect(Object.keys(annotations), alert).toEqual(['summary', 'description', 'runbook_url']);
    const [page = '', anchor = ''] = (annotations['runbook_url'] ?? '').split('#');
    const headings = [...(await readFile(join(ROOT, page), 'utf8')).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
    expect(headings, alert).toContain(alert);
    expect(anchor).toBe(alert.toLowerCase());
  }
});

test('every rule is tried where it rings and where it stays silent, on the same series', () => {
  expect(Object.keys(ALERT_CASES)).toEqual(rules.map(({ alert }) => alert));
  for (const [alert, { fires, silent }] of Object.entries(ALERT_CASES)) {
    expect(fires.length * silent.length, alert).toBeGreaterThan(0);
    const asked = askedBy(rules.find((rule) => rule.alert === alert)?.expr ?? '').selectors.map(({ name }) => name);
    for (const samples of [...fires, ...silent]) {
      const recorded = Object.keys(samples);
      expect(recorded.flatMap(problemsOf), alert).toEqual([]);
      const names = recorded.flatMap((series) => askedBy(series).selectors.map(({ name }) => name));
      expect(names, alert).toEqual(expect.arrayContaining(asked));
    }
  }
});

// promtool makes a database for each case, on whatever machine this is.
describe('on recorded series', { timeout: 240_000 }, () => {
  const rings = Object.entries(ALERT_CASES).flatMap(([alert, { fires, also = [] }]) =>
    fires.map((samples, n) => [`${alert} ${n + 1}`, samples, [alert, ...also]] as const),
  );
  const stays = Object.entries(ALERT_CASES).flatMap(([alert, { silent }]) =>
    silent.map((samples, n) => [`${alert} ${n + 1}`, samples] as const),
  );
  test('each alert rings where it must, and no other does', async () => {
    const cases = rings.map(([name, samples, alerts]) => promtoolCase(name, samples, alerts));
    mustBeGood(await verdictOn(cases));
  });
  test('nothing rings just below a threshold, nor for a moment only', async () => {
    const cases = stays.map(([name, samples]) => promtoolCase(name, samples, []));
    mustBeGood(await verdictOn(cases));
  });
});

/** Looks half an hour after the first value, at what rings then. */
function promtoolCase(name: string, samples: Samples, alerts: readonly string[]) {
  return {
    name,
    interval: '1m',
    input_series: Object.entries(samples).map(([series, values]) => ({ series, values })),
    promql_expr_test: [
      {
        expr: 'max by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: '30m',
        exp_samples: alerts.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
      },
    ],
  };
}

async function verdictOn(tests: readonly unknown[]) {
  const { folder } = await newRunFolder('promtool');
  const file = join(folder, 'alerts.test.json');
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ rule_files: [RULES], evaluation_interval: '1m', tests }));
  return promtool(['test', 'rules', file], folder);
}

function mustBeGood({ isGood, text }: Verdict): void {
  if (!isGood) expect.fail(text);
}

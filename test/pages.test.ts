import { expect, test } from 'vitest';
import { exportedSeries } from './observe/whole-system.js';
import { configurationPage, documentedSettings } from './pages/configuration-page.js';
import { DASHBOARDS } from './pages/dashboards/all.js';
import { dashboardJson } from './pages/dashboards/dashboard.js';
import { LINUX_ONLY, metricsPage } from './pages/metrics-page.js';

test('docs/configuration.md tells every setting as its config.ts defines it', async () => {
  await expect(configurationPage()).toMatchFileSnapshot('../docs/configuration.md');
});

test('every setting says what it is for and what it may be', () => {
  const settings = documentedSettings();
  expect(settings.length).toBeGreaterThan(60);
  expect(settings.filter(({ description, kind }) => description === '' || kind === '').map(({ name }) => name)).toEqual([]);
});

test.each(DASHBOARDS.map((dashboard) => [dashboard.uid, dashboard] as const))(
  'deploy/grafana/dashboards/%s.json is what its few words say',
  async (uid, dashboard) => {
    await expect(dashboardJson(dashboard)).toMatchFileSnapshot(`../deploy/grafana/dashboards/${uid}.json`);
  },
);

const exported = await exportedSeries();

test('docs/metrics.md tells every series that the running services export', async () => {
  await expect(metricsPage(exported)).toMatchFileSnapshot('../docs/metrics.md');
});

test('every series says what it counts, and only Linux adds to them', () => {
  const { envoy: _, ...ours } = exported;
  for (const series of Object.values(ours)) {
    expect(series.filter(({ help }) => help.trim() === '').map(({ name }) => name)).toEqual([]);
    const added = series.map(({ name }) => name).filter((name) => LINUX_ONLY.includes(name));
    expect(added).toEqual(process.platform === 'linux' ? LINUX_ONLY : []);
  }
});

/** What the outside relies on: a name that goes is a dashboard that goes blank. */
const PROMISED = {
  authz: [
    'tollgate_authz_decisions_total{decision,reason}',
    'tollgate_authz_duration_seconds',
    'tollgate_key_cache_lookups_total{result}',
    'tollgate_cache_trust_state',
    'tollgate_revocation_delay_seconds',
    'tollgate_build_info{version}',
  ],
  ratelimit: [
    'tollgate_ratelimit_decisions_total{result,limit}',
    'tollgate_ratelimit_store_duration_seconds',
    'tollgate_ratelimit_degraded',
    'tollgate_build_info{version}',
  ],
  collector: ['tollgate_usage_events_total{stage}', 'tollgate_build_info{version}'],
  writer: ['tollgate_usage_events_total{stage}', 'tollgate_usage_lag_events', 'tollgate_build_info{version}'],
  reconciler: ['tollgate_usage_drift_events', 'tollgate_build_info{version}'],
} as const;

test.each(Object.entries(PROMISED))('%s exports the series that the outside relies on, with their labels', (name, promised) => {
  const signatures = exported[name as keyof typeof PROMISED].map((series) => {
    const labels = [...series.labels.keys()].filter((label) => label !== 'le');
    return labels.length === 0 ? series.name : `${series.name}{${labels.join(',')}}`;
  });
  expect(signatures).toEqual(expect.arrayContaining([...promised]));
});

test('usage events are counted at every stage of their way', () => {
  const stages = (name: 'collector' | 'writer') => [
    ...(exported[name].find((series) => series.name === 'tollgate_usage_events_total')?.labels.get('stage') ?? []),
  ];
  const wanted = ['received', 'unlimited', 'produced', 'spooled', 'stored', 'duplicate', 'dead'];
  expect([...stages('collector'), ...stages('writer')]).toEqual(expect.arrayContaining(wanted));
});

import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promtool } from '@tollgate/testing/promtool';
import { newRunFolder } from '@tollgate/testing/run-environment';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { createSeriesCheck } from './known-series.js';
import { exportedSeries } from './whole-system.js';

const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url));
const DASHBOARDS = join(DEPLOY, 'grafana', 'dashboards');

interface Panel {
  title: string;
  description: string;
  targets: { expr: string }[];
}

const read = async (path: string): Promise<unknown> => parse(await readFile(join(DEPLOY, path), 'utf8'));
const files = await readdir(DASHBOARDS);
const panels = (
  await Promise.all(
    files.map(async (file) => {
      const { panels: all } = JSON.parse(await readFile(join(DASHBOARDS, file), 'utf8')) as { panels: Panel[] };
      return all.map((panel) => [`${file} ${panel.title}`, panel] as const);
    }),
  )
).flat();
const { scrape_configs: scrapes } = (await read('prometheus/prometheus.yml')) as { scrape_configs: { job_name: string }[] };
const problemsOf = createSeriesCheck(await exportedSeries(), { jobs: scrapes.map(({ job_name }) => job_name) });
// Finds it, or fetches it, which may take longer than a test.
await promtool(['--version'], DEPLOY);

/** What Grafana puts into a query before Prometheus sees it. */
const asSent = (expr: string): string => expr.replaceAll('$__rate_interval', '1m');

test('there is a dashboard for the gateway, its limits, its usage and its processes', () => {
  expect(files.toSorted()).toEqual(['gateway', 'limits', 'processes', 'usage'].map((name) => `tollgate-${name}.json`));
});

test.each(panels)('%s shows only what is exported, and says what to see', (_, { description, targets }) => {
  expect(description).not.toBe('');
  expect(targets.length).toBeGreaterThan(0);
  expect(targets.flatMap(({ expr }) => problemsOf(asSent(expr)))).toEqual([]);
});

test('Prometheus takes every query', async () => {
  const { folder } = await newRunFolder('promtool');
  const queries = panels.flatMap(([, { targets }]) => targets.map(({ expr }) => asSent(expr)));
  const rules = queries.map((expr, n) => ({ record: `query_${n}`, expr }));
  await writeFile(join(folder, 'queries.json'), JSON.stringify({ groups: [{ name: 'queries', rules }] }));
  const { isGood, text } = await promtool(['check', 'rules', '--lint=none', 'queries.json'], folder);
  if (!isGood) expect.fail(text);
});

test('Grafana finds the dashboards and the Prometheus that they ask', async () => {
  const { datasources } = (await read('grafana/provisioning/datasources/prometheus.yml')) as { datasources: { uid: string }[] };
  const { providers } = (await read('grafana/provisioning/dashboards/tollgate.yml')) as {
    providers: { options: { path: string } }[];
  };
  expect(providers.map(({ options }) => options.path)).toEqual(['/var/lib/grafana/dashboards']);
  for (const file of files) {
    const { templating } = JSON.parse(await readFile(join(DASHBOARDS, file), 'utf8')) as {
      templating: { list: { current: { value: string } }[] };
    };
    expect(templating.list.map(({ current }) => current.value)).toEqual(datasources.map(({ uid }) => uid));
  }
});

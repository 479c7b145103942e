import { readFileSync } from 'node:fs';
import { createMetrics } from '@tollgate/service-kit/metrics';
import { VERSION } from '@tollgate/service-kit/version';
import { expect, test } from 'vitest';

test('what was counted, set and observed is on the page, with the service as a label', async () => {
  const metrics = createMetrics('authz');
  const decisions = metrics.counter({
    name: 'tollgate_authz_decisions_total',
    help: 'Decisions.',
    labels: ['decision', 'reason'],
  });
  const allowed = decisions.with({ decision: 'allowed', reason: 'ok' });
  allowed.inc();
  allowed.inc(2);
  metrics.gauge({ name: 'tollgate_ratelimit_degraded', help: 'Degraded.' }).with({}).set(1);
  metrics
    .histogram({ name: 'tollgate_authz_duration_seconds', help: 'Time.', buckets: [0.1, 1] })
    .with({})
    .observe(0.5);
  const page = await metrics.text();
  expect(page).toContain('tollgate_authz_decisions_total{decision="allowed",reason="ok",service="authz"} 3\n');
  expect(page).toContain('tollgate_ratelimit_degraded{service="authz"} 1\n');
  expect(page).toContain('tollgate_authz_duration_seconds_bucket{le="0.1",service="authz"} 0\n');
  expect(page).toContain('tollgate_authz_duration_seconds_bucket{le="1",service="authz"} 1\n');
  expect(page).toContain('tollgate_authz_duration_seconds_sum{service="authz"} 0.5\n');
});

test('a series is there before its first event, so that an alert can tell none from unknown', async () => {
  const metrics = createMetrics('authz');
  metrics.counter({ name: 'tollgate_a_total', help: 'A.', labels: ['result'] }).with({ result: 'hit' });
  metrics.histogram({ name: 'tollgate_b_seconds', help: 'B.', labels: ['result'] }).with({ result: 'hit' });
  const page = await metrics.text();
  expect(page).toContain('tollgate_a_total{result="hit",service="authz"} 0\n');
  expect(page).toContain('tollgate_b_seconds_count{service="authz",result="hit"} 0\n');
});

test('a gauge that is read at the scrape shows what is true then', async () => {
  const metrics = createMetrics('authz');
  let trust = 1;
  metrics.gauge({ name: 'tollgate_cache_trust_state', help: 'Trust.', read: () => trust });
  expect(await metrics.text()).toContain('tollgate_cache_trust_state{service="authz"} 1\n');
  trust = 2;
  expect(await metrics.text()).toContain('tollgate_cache_trust_state{service="authz"} 2\n');
});

test('two services in one process do not share their metrics', async () => {
  const [one, other] = [createMetrics('one'), createMetrics('other')];
  one.counter({ name: 'tollgate_x_total', help: 'X.' }).with({}).inc();
  expect(await other.text()).not.toContain('tollgate_x_total');
});

test('the build and the process are on the page, with the version that package.json has', async () => {
  const page = await createMetrics('authz').text();
  expect(page).toContain(`tollgate_build_info{version="${VERSION}",service="authz"} 1\n`);
  expect(page).toContain('process_resident_memory_bytes');
  expect(page).toContain('nodejs_eventloop_lag_p99_seconds');
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  expect(manifest.version).toBe(VERSION);
});

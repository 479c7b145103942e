import { freePort } from '@tollgate/embedded/free-port';
import { expect, onTestFinished, test } from 'vitest';
import { startGateway } from './live-gateway.js';

test('the metrics port gives Prometheus the one page that it needs, and nothing that could change the gateway', async () => {
  const [adminPort, metricsPort] = [await freePort(), await freePort()];
  const gateway = await startGateway({
    admin: { host: '127.0.0.1', port: adminPort },
    metrics: { host: '127.0.0.1', port: metricsPort },
  });
  onTestFinished(() => gateway.close());
  const ask = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${metricsPort}${path}`, { method });

  const page = await ask('/stats/prometheus');
  expect(page.status).toBe(200);
  expect(await page.text()).toMatch(/^envoy_server_live\{?.* 1$/m);
  for (const path of [
    '/',
    '/stats',
    '/config_dump',
    '/quitquitquit',
    '/stats/prometheus/',
    '/stats/prometheus/../../quitquitquit',
  ]) {
    for (const method of ['GET', 'POST']) expect((await ask(path, method)).status, `${method} ${path}`).toBe(404);
  }
  expect((await ask('/stats/prometheus', 'POST')).status).toBe(404);
  expect((await ask('/stats/prometheus')).status).toBe(200);
});

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { promisify } from 'node:util';
import { startAdminServer } from '@tollgate/service-kit/admin-server';
import { createLogger } from '@tollgate/service-kit/log';
import { createMetrics } from '@tollgate/service-kit/metrics';
import { VERSION } from '@tollgate/service-kit/version';
import { expect, test } from 'vitest';
import { PROJECT } from '../../test/architecture/project-files.js';
import { isOurs, isTask, readComposeFile } from './compose-file.js';

const ANSWER_DEADLINE_MS = 20_000;
const services = Object.entries(readComposeFile().services);
const ours = services.filter(([, service]) => isOurs(service));

test('every health check of ours asks for a path that is served, where the service listens', async () => {
  const admin = await startAdminServer({
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    metrics: createMetrics('compose'),
    version: VERSION,
    components: async () => ({}),
    isReady: () => true,
    log: createLogger({ service: 'compose', level: 'silent' }),
  });
  try {
    for (const [name, service] of ours.filter(([, each]) => !isTask(each))) {
      const [kind, program, script = '', address = ''] = service.healthcheck?.test ?? [];
      expect([kind, program], name).toEqual(['CMD', 'node']);
      expect(existsSync(join(PROJECT, script)), name).toBe(true);
      const { hostname, port, pathname } = new URL(address);
      const listen = service.environment?.['ADMIN_LISTEN'] ?? service.environment?.['DEMO_UPSTREAM_LISTEN'];
      expect(`${hostname}:${port}`, name).toBe(listen?.replace('0.0.0.0', '127.0.0.1'));
      if (name !== 'upstream') expect((await fetch(`http://${admin.address}${pathname}`)).status, name).toBe(200);
    }
  } finally {
    await admin.close();
  }
  expect(services.filter(([name, each]) => !isTask(each) && each.healthcheck === undefined && name !== 'gateway')).toEqual([]);
});

test('a health check ends with the answer, however long the server would keep the connection', async () => {
  const server = createServer((_request, response) => response.end()).listen(0, '127.0.0.1');
  server.keepAliveTimeout = 10 * ANSWER_DEADLINE_MS;
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  try {
    const run = promisify(execFile)(execPath, [join(PROJECT, 'deploy/health-check.mjs'), url], { timeout: ANSWER_DEADLINE_MS });
    expect((await run).stdout).toMatch(/^200 /);
  } finally {
    server.closeAllConnections();
    await once(server.close(), 'close');
  }
});

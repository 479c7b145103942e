import { once } from 'node:events';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { startEnvoy } from '@tollgate/embedded/envoy-process';
import { freePort } from '@tollgate/embedded/free-port';
import { envoyPath } from '@tollgate/testing/envoy';
import { newRunFolder } from '@tollgate/testing/run-environment';
import { until } from '@tollgate/testing/until';
import { afterEach, beforeEach, expect, test } from 'vitest';

let folder: string;
let upstream: Server | undefined;

beforeEach(async () => {
  ({ folder } = await newRunFolder('envoy-process'));
});

afterEach(async () => {
  upstream?.closeAllConnections();
  upstream?.close();
  upstream = undefined;
  await rm(folder, { recursive: true, force: true });
});

const ADMIN = 'admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }\n';

function gatewayYaml(port: number, upstreamPort: number): string {
  return `${ADMIN}
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: edge
          route_config: { virtual_hosts: [ { name: all, domains: [ "*" ], routes: [ { match: { prefix: / }, route: { cluster: upstream } } ] } ] }
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: ${folder}/access.log
          http_filters: [ { name: envoy.filters.http.router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } } ]
  clusters:
  - name: upstream
    type: STATIC
    load_assignment: { cluster_name: upstream, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${upstreamPort} } } } } ] } ] }
`;
}

test('a request in flight is answered, and its log entry written, before Envoy ends', async () => {
  let answer: () => void = () => {};
  let isAsked = false;
  upstream = createServer((_, response) => {
    isAsked = true;
    answer = () => response.end('done');
  }).listen(await freePort(), '127.0.0.1');
  await once(upstream, 'listening');
  const address = upstream.address();
  const port = await freePort();
  const configYaml = gatewayYaml(port, typeof address === 'object' && address !== null ? address.port : 0);
  const envoy = await startEnvoy({ binary: await envoyPath(), configYaml, folder, concurrency: 1, recordIn: folder });
  const reply = fetch(`http://127.0.0.1:${port}/slow`).then((response) => response.text());
  await until(() => isAsked);
  const stopped = envoy.drainAndStop({ drainMs: 30_000, logFlushMs: 100 });
  await until(async () => (await fetch(`${envoy.adminUrl}/stats?filter=health_check`)).ok);
  answer();
  expect(await reply).toBe('done');
  await stopped;
  expect(await envoy.exited).toEqual({ code: 0, signal: null });
  expect(await readFile(join(folder, 'access.log'), 'utf8')).toContain('/slow');
  await until(async () => (await readdir(join(folder, 'processes'))).length === 0);
});

test('the configuration, which may hold secrets, is for its owner alone', async () => {
  const envoy = await startEnvoy({ binary: await envoyPath(), configYaml: ADMIN, folder, concurrency: 1 });
  expect((await stat(join(folder, 'envoy.yaml'))).mode & 0o777).toBe(0o600);
  await envoy.kill();
});

test('a configuration that Envoy refuses is reported in the words of Envoy', async () => {
  const started = startEnvoy({ binary: await envoyPath(), configYaml: 'nosuch_field: 1', folder });
  await expect(started).rejects.toThrow(/nosuch_field/);
});

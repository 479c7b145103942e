import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
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
  const child: ChildProcess = spawn(process.execPath, ['scripts/start.mjs', 'ratelimit'], {
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

test('a start without settings tells all that is missing at once, and exits with 78', async () => {
  const { output, exited } = run({});
  expect(await exited).toBe(78);
  expect(output.stderr).toMatch(/REDIS_URL is required/);
  expect(output.stderr).toMatch(/DATABASE_URL is required/);
});

test('every mistake is told together by its name, and no secret is shown', async () => {
  const { output, exited } = run({
    RATELIMIT_LISTEN: '0.0.0.0:0',
    REDIS_URL: 'http://:hunter2@redis',
    RATELIMIT_STORE_DOWN: 'panic',
    RATELIMIT_INSTANCES: '0',
    TLS_KEY_FILE: '/etc/tollgate/key.pem',
  });
  expect(await exited).toBe(78);
  const names = ['DATABASE_URL', 'REDIS_URL', 'RATELIMIT_STORE_DOWN', 'RATELIMIT_INSTANCES', 'TLS_CERT_FILE'];
  for (const name of names) expect(output.stderr).toContain(name);
  expect(output.stderr + output.stdout).not.toContain('hunter2');
});

test('bad rules are told with file and line, and exit with 78', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-rules-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'rules.yaml'), 'domain: shop\ndescriptors:\n  - key: ""\n    unit: minute\n');
  const { output, exited } = run({ RATELIMIT_CONFIG: folder, RATELIMIT_STORE: 'memory' });
  expect(await exited).toBe(78);
  expect(output.stderr).toMatch(/RATELIMIT_CONFIG: .*rules\.yaml:3: the descriptor needs a key/);
  expect(output.stderr).toMatch(/rules\.yaml:4: a descriptor has no field "unit"/);
});

test('the built service says where it is ready, serves its pages, and ends with 0 when it is told to stop', async () => {
  const database = await freshDatabase();
  onTestFinished(() => database.close());
  const { child, output, exited } = run({
    RATELIMIT_LISTEN: '127.0.0.1:0',
    ADMIN_LISTEN: '127.0.0.1:0',
    DATABASE_URL: database.url,
    RATELIMIT_STORE: 'memory',
  });
  const ready = await until(() => /^.*"msg":"ready".*$/m.exec(output.stdout)?.[0], DEADLINE_MS, 'the ready line');
  const { address, admin_address } = JSON.parse(ready) as { address: string; admin_address: string };
  expect(address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
  const page = await fetch(`http://${admin_address}/metrics`);
  expect(await page.text()).toContain('tollgate_ratelimit_decisions_total');
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
});

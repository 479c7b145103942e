import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '@tollgate/testing/until';
import { beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from './gateway.js';
import { type Operator, operate } from './operator.js';

/** A minute must end. */
const DEADLINE_MS = 120_000;
const MINUTE_MS = 60_000;

let gateway: Gateway;
let operator: Operator;

beforeAll(async () => {
  gateway = await startGateway({ env: { USAGE_GRACE: '1s' } });
  operator = operate(gateway);
  return async () => {
    await operator.close();
    await gateway.close();
  };
});

test('npm start watches its own usage, and the command says that all of it is recorded', {
  timeout: DEADLINE_MS + MINUTE_MS,
}, async () => {
  const beganMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
  for (let i = 0; i < 30; i++) await gateway.ask(`/orders/${i}?secret=1`);
  const endMs = Math.floor(Date.now() / MINUTE_MS + 1) * MINUTE_MS;
  const range = ['--from', new Date(beganMs).toISOString(), '--to', new Date(endMs).toISOString()];
  const words = ['usage', 'reconcile', '--org', gateway.organizationId, ...range];
  const found = await until(() => operator.tollgate(...words), DEADLINE_MS, 'a reconciliation that passes');
  expect(found).toMatchObject({ proxied: 30, recorded: 30, difference: 0, is_witnessed: true, gaps: [] });
  const file = await readFile(join(gateway.folder, 'envoy', 'usage.jsonl'), 'utf8');
  expect(file.trimEnd().split('\n')).toHaveLength(30);
  expect(file).not.toContain(gateway.apiKey);
  expect(file).not.toContain('secret');
  const { services = {} } = (await gateway.gatewayFile()) ?? {};
  expect(await (await fetch(`${services['reconciler']}/health/ready`)).json()).toMatchObject({
    components: { witness: { status: 'ok' } },
  });
});

import { createApiKey } from '@tollgate/postgres/api-keys';
import { startOtlpCollector } from '@tollgate/testing/otlp-collector';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { runningAuthz } from './running-authz.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const metadataOf = (flags: string) => ({ traceparent: `00-${TRACE}-00f067aa0ba902b7-${flags}` });

test('a span tells what was decided and why, and a line of the log which trace it is about', async () => {
  const collector = await startOtlpCollector();
  onTestFinished(() => collector.close());
  const { db, organization, check, logged } = await runningAuthz({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } });
  const key = { organizationId: organization.id, name: 'main', environment: 'live', scopes: [], createdBy: 'tester' } as const;
  const { secret } = await createApiKey(db, key, 'tester');
  await until(async () => (await check({ 'x-api-key': secret })).kind === 'ok_response');
  await check({ 'x-api-key': secret }, undefined, '', metadataOf('01'));
  await check({}, undefined, '', metadataOf('01'));
  // A demand that nobody can read is told in the log.
  await check({ 'x-api-key': secret }, undefined, ';', metadataOf('00'));
  await check({ 'x-api-key': secret }, undefined, 'orders:read', metadataOf('01'));

  await until(() => collector.spans().length >= 3);
  const told = collector.spans().map(({ attributes }) => [attributes['tollgate.decision'], attributes['tollgate.reason']]);
  expect(told).toEqual([
    ['allowed', undefined],
    ['denied', 'missing_api_key'],
    ['denied', 'insufficient_scope'],
  ]);
  const failures = logged()
    .split('\n')
    .filter((line) => line.includes('a call failed'));
  expect(failures.map((line) => (JSON.parse(line) as { trace_id?: string }).trace_id)).toEqual([TRACE]);
});

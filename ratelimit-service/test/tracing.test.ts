import { randomUUID } from 'node:crypto';
import { type CollectedSpan, type OtlpCollector, startOtlpCollector } from '@tollgate/testing/otlp-collector';
import { until } from '@tollgate/testing/until';
import { expect, onTestFinished, test } from 'vitest';
import { descriptorOf } from './envoy-client.js';
import { anOrganization, type RunningRateLimit, runningRateLimit } from './running-ratelimit.js';
import { runningRules } from './running-rules.js';

const SAMPLED = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' };
const RULES = `
domain: shop
descriptors:
  - key: user
    rate_limit: { unit: year, requests_per_unit: 1 }
`;

async function aCollector(): Promise<{ collector: OtlpCollector; env: Record<string, string> }> {
  const collector = await startOtlpCollector();
  onTestFinished(() => collector.close());
  return { collector, env: { RATELIMIT_STORE: 'memory', OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } };
}

/** What so many spans tell of our own, in the order of the calls. */
async function toldBy(collector: OtlpCollector, count: number): Promise<Record<string, unknown>[]> {
  await until(() => collector.spans().length >= count, 10_000, 'spans');
  const ours = ({ attributes }: CollectedSpan) => Object.entries(attributes).filter(([name]) => name.startsWith('tollgate.'));
  return collector.spans().map((span) => Object.fromEntries(ours(span)));
}

const asked = ({ client, organization }: RunningRateLimit) =>
  client.ask({ descriptors: [descriptorOf(organization.id)] }, 'request-1', SAMPLED);

test('a span tells whether a request passed, and which limit it did not', async () => {
  const { collector, env } = await aCollector();
  const enforced = await runningRateLimit(await anOrganization({ perMinute: 1, burst: 1 }), env);
  await asked(enforced);
  await asked(enforced);
  const inShadow = await runningRateLimit(await anOrganization({ perMinute: 1, burst: 1, perDay: 1, isShadow: true }), env);
  await asked(inShadow);
  await asked(inShadow);
  await inShadow.client.ask({ descriptors: [descriptorOf(randomUUID())] }, 'request-1', SAMPLED);
  const told = await toldBy(collector, 5);
  expect(told).toEqual(
    expect.arrayContaining([
      { 'tollgate.decision': 'allowed', 'tollgate.degraded': false },
      { 'tollgate.decision': 'limited', 'tollgate.limit': 'minute', 'tollgate.degraded': false },
      { 'tollgate.decision': 'shadow', 'tollgate.limit': 'day', 'tollgate.degraded': false },
      { 'tollgate.decision': 'unlimited' },
    ]),
  );
});

test('so does a span of a domain with rules; where nobody can tell it is an error', async () => {
  const { collector, env } = await aCollector();
  const { client } = await runningRules(RULES, env);
  const ofAnn = { domain: 'shop', descriptors: [{ entries: [{ key: 'user', value: 'ann' }] }] };
  await client.ask(ofAnn, 'request-1', SAMPLED);
  await client.ask(ofAnn, 'request-1', SAMPLED);
  // There is no database for it.
  const ofOrganization = { descriptors: [descriptorOf(randomUUID())] };
  await expect(client.ask(ofOrganization, 'request-1', SAMPLED)).rejects.toMatchObject({ code: 14 });
  expect(await toldBy(collector, 3)).toEqual([
    { 'tollgate.decision': 'allowed' },
    { 'tollgate.decision': 'limited' },
    { 'tollgate.decision': 'failed' },
  ]);
  expect(collector.spans().map(({ isError }) => isError)).toEqual([false, false, true]);
});

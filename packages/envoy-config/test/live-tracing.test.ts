import { type OtlpCollector, startOtlpCollector } from '@tollgate/testing/otlp-collector';
import { until } from '@tollgate/testing/until';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { type FakeServices, type FakeUpstream, GOOD_KEY, startFakeServices, startFakeUpstream } from './fake-services.js';
import { type Gateway, startGateway } from './live-gateway.js';
import { servicesAreHealthy } from './live-world.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SAMPLED = `00-${TRACE}-00f067aa0ba902b7-01`;
const UNSAMPLED = `00-${TRACE}-00f067aa0ba902b7-00`;

let services: FakeServices;
let upstream: FakeUpstream;
let collector: OtlpCollector;

beforeAll(async () => {
  [services, upstream, collector] = await Promise.all([startFakeServices(), startFakeUpstream({}), startOtlpCollector()]);
  return async () => {
    await Promise.all([services.close(), upstream.close(), collector.close()]);
  };
});

async function tracingGateway(tracing: { sampledShare: number; isRestarted: boolean }): Promise<Gateway> {
  const gateway = await startGateway({
    authz: [services.authz],
    ratelimit: [services.ratelimit],
    usage: [services.usage],
    upstreamUrl: upstream.url,
    tracing: { endpoint: collector.url, ...tracing },
  });
  onTestFinished(() => gateway.close());
  await servicesAreHealthy(gateway, ['authz', 'ratelimit', 'usage']);
  return gateway;
}

/** What the upstream is told of the trace of a request. */
async function passedOn(gateway: Gateway, path: string, traceparent?: string): Promise<{ traceId: string; flags: string }> {
  const headers = { 'x-api-key': GOOD_KEY, ...(traceparent && { traceparent, tracestate: 'vendor=1' }) };
  expect((await gateway.ask(path, { headers })).status).toBe(200);
  const received = upstream.requests.findLast((request) => request.path === path)?.headers;
  const [, traceId = '', , flags = ''] = String(received?.['traceparent']).split('-');
  if (traceId !== TRACE) expect(received?.['tracestate'] ?? '').toBe('');
  return { traceId, flags };
}

const spansCome = (traceId: string) => until(() => collector.spans(traceId).length > 0, 15_000, 'spans');

test('of requests without a traceparent the share is traced that was asked for, and a caller who has decided is followed', async () => {
  const none = await tracingGateway({ sampledShare: 0, isRestarted: false });
  expect((await passedOn(none, '/none')).flags).toBe('00');
  expect(await passedOn(none, '/none/sampled', SAMPLED)).toEqual({ traceId: TRACE, flags: '01' });
  await spansCome(TRACE);

  const all = await tracingGateway({ sampledShare: 1, isRestarted: false });
  const begun = await passedOn(all, '/all');
  expect(begun.flags).toBe('01');
  await spansCome(begun.traceId);
  expect(await passedOn(all, '/all/unsampled', UNSAMPLED)).toEqual({ traceId: TRACE, flags: '00' });

  const half = await tracingGateway({ sampledShare: 0.5, isRestarted: false });
  const flags: string[] = [];
  for (let i = 0; i < 200; i++) flags.push((await passedOn(half, '/half')).flags);
  // Beyond six standard deviations of it.
  expect(flags.filter((each) => each === '01').length).toBeGreaterThan(55);
  expect(flags.filter((each) => each === '01').length).toBeLessThan(145);
});

test('where every trace begins at the gateway, callers decide nothing', async () => {
  const none = await tracingGateway({ sampledShare: 0, isRestarted: true });
  const ignored = await passedOn(none, '/restarted', SAMPLED);
  expect(ignored.flags).toBe('00');
  expect(ignored.traceId).not.toBe(TRACE);

  const all = await tracingGateway({ sampledShare: 1, isRestarted: true });
  const begun = await passedOn(all, '/restarted', UNSAMPLED);
  expect(begun.flags).toBe('01');
  expect(begun.traceId).not.toBe(TRACE);
  await spansCome(begun.traceId);
});

import { until } from '@tollgate/testing/until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from './gateway.js';
import { type Operator, operate } from './operator.js';
import { startUpstream, type Upstream } from './upstream.js';

let upstream: Upstream;
let gateway: Gateway;
let operator: Operator;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ env: { UPSTREAM_URL: upstream.url, RATELIMIT_HEADERS: 'ietf' } });
  operator = operate(gateway);
});
afterAll(async () => {
  await operator.close();
  await gateway.close();
  await upstream.close();
});

test('RATELIMIT_HEADERS=ietf: every answer tells its limits in the words of the draft, the upstream’s own do not arrive', async () => {
  upstream.on('/own', (_request, response) =>
    response
      .writeHead(200, { 'RateLimit-Policy': '"theirs";q=1;w=1', RateLimit: '"theirs";r=0;t=9', 'X-RateLimit-Limit-Minute': '7' })
      .end('ok'),
  );
  const { headers } = await until(async () => {
    const answer = await gateway.ask('/own');
    return answer.headers['ratelimit'] !== undefined && answer;
  });
  expect(headers['ratelimit-policy']).toBe('"minute";q=100;w=60, "day";q=10000;w=86400');
  expect(headers['ratelimit']).toMatch(/^"minute";r=1\d\d;t=\d+, "day";r=\d{4};t=\d+$/);
  expect(Object.keys(headers).filter((name) => name.startsWith('x-ratelimit'))).toEqual([]);
});

test('a spent month names itself, and the moment at which the billing month ends, in Retry-After and in RateLimit', async () => {
  const now = new Date();
  const anchorDay = now.getUTCDate();
  const organizationId = await operator.createOrganization('basic');
  await operator.tollgate('org', 'update', organizationId, '--billing-anchor-day', String(anchorDay));
  await operator.setLimits(organizationId, { perMinute: 1, burst: 10, perDay: 3, perMonth: 3 });
  const { secret } = await operator.createKey(organizationId);
  const denied = await until(async () => {
    const answer = await gateway.ask('/x', { headers: { 'x-api-key': secret } });
    return answer.status === 429 && answer;
  });
  const { error, timestamp } = JSON.parse(denied.body);
  expect(error).toMatchObject({ code: 'quota_exceeded', details: { limit_type: 'month', limit: 3, remaining: 0 } });
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  const lastDay = new Date(Date.UTC(year, month + 2, 0)).getUTCDate();
  const endMs = Date.UTC(year, month + 1, Math.min(anchorDay, lastDay));
  expect(Date.parse(error.details.reset_at)).toBe(endMs);
  const retryAtMs = Date.parse(timestamp) + Number(denied.headers['retry-after']) * 1_000;
  expect(Math.abs(retryAtMs - endMs)).toBeLessThanOrEqual(1_500);
  const lengthSeconds = (endMs - Date.UTC(year, month, anchorDay)) / 1_000;
  expect(denied.headers['ratelimit-policy']).toBe(`"minute";q=1;w=60, "day";q=3;w=86400, "month";q=3;w=${lengthSeconds}`);
  expect(denied.headers['ratelimit']).toMatch(/"month";r=0;t=\d+$/);
});

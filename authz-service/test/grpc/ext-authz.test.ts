import { CheckResponse } from '@tollgate/protos/envoy/service/auth/v3/external_auth';
import { createLoadShedder } from '@tollgate/service-kit/load-shedder';
import { afterEach, expect, test } from 'vitest';
import type { Decision } from '../../src/authorize.js';
import { extAuthz, type Outcome } from '../../src/grpc/ext-authz.js';

const MISSING: Decision = { kind: 'denied', code: 'missing_api_key' };
const MAX_IN_FLIGHT = 2;

const shedders: { close(): void }[] = [];
afterEach(() => {
  for (const shedder of shedders.splice(0)) shedder.close();
});

function start(authorize: () => Decision | Promise<Decision>) {
  const shedder = createLoadShedder({ maxInFlight: MAX_IN_FLIGHT, maxDelayMs: 60_000, maxLateMs: 0 });
  shedders.push(shedder);
  const outcomes: Outcome['kind'][] = [];
  const method = extAuthz({ authorize, shedder, now: Date.now, onDecision: ({ kind }) => outcomes.push(kind) });
  if (method.kind !== 'unary') throw new Error('Check is a unary method');
  const check = async () => CheckResponse.decode(await method.answer(Buffer.alloc(0), { header: () => 'id-1' }));
  return { check, outcomes, refuse: () => method.refuse?.({ header: () => 'id-1' }) };
}

test('beyond what may be in work a call gets a 503 that says so, at once and never a denial', async () => {
  let decide: (decision: Decision) => void = () => {};
  const decision = new Promise<Decision>((resolve) => {
    decide = resolve;
  });
  const { check, outcomes, refuse } = start(() => decision);
  expect(refuse()).toBeUndefined();
  const waiting = [check(), check()];
  const { httpResponse } = await check();
  if (httpResponse?.$case !== 'errorResponse') throw new Error(`not an error response but ${httpResponse?.$case}`);
  const { status, headers, body } = httpResponse.value;
  expect(status?.code).toBe(503);
  expect(headers.map(({ header }) => header?.key)).toContain('retry-after');
  expect(JSON.parse(body)).toMatchObject({ error: { code: 'authorization_unavailable' }, request_id: 'id-1' });
  expect(outcomes).toEqual(['shed']);
  // And so before its message is read.
  expect(CheckResponse.decode(refuse() ?? new Uint8Array()).httpResponse?.$case).toBe('errorResponse');
  expect(outcomes).toEqual(['shed', 'shed']);
  decide(MISSING);
  expect((await Promise.all(waiting)).map((answer) => answer.httpResponse?.$case)).toEqual(['deniedResponse', 'deniedResponse']);
});

test.each<[string, () => Decision | Promise<Decision>]>([
  ['at once', () => MISSING],
  ['later', async () => MISSING],
  [
    'at once, by failing',
    () => {
      throw new Error('no database');
    },
  ],
  ['later, by failing', () => Promise.reject(new Error('no database'))],
])('a call that ends %s gives its place back', async (_, authorize) => {
  const { check, outcomes } = start(authorize);
  for (let i = 0; i < 3 * MAX_IN_FLIGHT; i++) await check();
  expect(outcomes).not.toContain('shed');
});

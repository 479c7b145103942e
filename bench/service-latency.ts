/** The latency of authz and ratelimit by themselves, without Envoy. */
import { CheckRequest } from '@tollgate/protos/envoy/service/auth/v3/external_auth';
import { RateLimitRequest } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import { type BareService, CONTROL } from './bare-service.js';
import { createUnaryClient, type UnaryClient } from './unary-client.js';
import type { Caller, World } from './world.js';

export interface ServiceLatency {
  name: string;
  calls: number;
  errors: number;
  /** From when each was due, sorted. */
  latenciesMs: number[];
  /** The longest that the load generator itself sent one late. */
  latestMs: number;
}

const CHECK_PATH = '/envoy.service.auth.v3.Authorization/Check';
const LIMIT_PATH = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
const WARM_UP_SECONDS = 5;

/** All in turns, for `rounds`, and a service that does nothing beside them: so late is the machine by itself. */
export async function askServices(
  world: World,
  bare: BareService,
  { perSecond, seconds, rounds }: { perSecond: number; seconds: number; rounds: number },
): Promise<ServiceLatency[]> {
  const { authz, ratelimit } = world.serviceAddresses;
  const checks = checkClient(authz, world.callers);
  const limits = limitClient(ratelimit, world.callers);
  const asked = [asking(CONTROL, bare), asking('authz', checks), asking('ratelimit', limits)];
  try {
    for (const { client } of asked) await client.ask(perSecond, WARM_UP_SECONDS, () => {});
    for (let round = 0; round < rounds; round++) for (const each of asked) await askOnce(each, perSecond, seconds);
    for (const { latency } of asked) latency.latenciesMs.sort((a, b) => a - b);
    return asked.map(({ latency }) => latency);
  } finally {
    checks.close();
    limits.close();
  }
}

interface Asking {
  client: Pick<UnaryClient, 'ask'>;
  latency: ServiceLatency;
}

function asking(name: string, client: Pick<UnaryClient, 'ask'>): Asking {
  return { client, latency: { name, calls: 0, errors: 0, latenciesMs: [], latestMs: 0 } };
}

async function askOnce({ client, latency }: Asking, perSecond: number, seconds: number): Promise<void> {
  const { calls, errors, latestMs } = await client.ask(perSecond, seconds, (_, tookMs) => latency.latenciesMs.push(tookMs));
  latency.calls += calls;
  latency.errors += errors;
  latency.latestMs = Math.max(latency.latestMs, latestMs);
}

/** One service by itself, asked for each caller in turn. */
export function checkClient(address: string, callers: readonly Caller[]): UnaryClient {
  return createUnaryClient(address, CHECK_PATH, callers.map(checkRequest));
}

export function limitClient(address: string, callers: readonly Caller[]): UnaryClient {
  return createUnaryClient(address, LIMIT_PATH, callers.map(limitRequest));
}

/** As Envoy asks, with the headers of the bench's requests. */
function checkRequest({ headers }: Caller): Uint8Array {
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return CheckRequest.encode({ attributes: { request: { http: { headers: lower } }, contextExtensions: {} } }).finish();
}

function limitRequest({ organizationId }: Caller): Uint8Array {
  const descriptor = { entries: [{ key: 'organization_id', value: organizationId }], limit: undefined, hitsAddend: undefined };
  return RateLimitRequest.encode({ domain: 'tollgate', descriptors: [descriptor], hitsAddend: 0 }).finish();
}

/** The latency of authz and ratelimit by themselves, without Envoy. */
import { CheckRequest } from '@tollgate/protos/envoy/service/auth/v3/external_auth';
import { RateLimitRequest } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import { createUnaryClient } from './unary-client.js';
import type { World } from './world.js';

export interface ServiceLatency {
  name: string;
  calls: number;
  errors: number;
  /** From when each was due, sorted. */
  latenciesMs: number[];
}

const CHECK_PATH = '/envoy.service.auth.v3.Authorization/Check';
const LIMIT_PATH = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
const WARM_UP_SECONDS = 5;

export async function askServices(world: World, rate: { perSecond: number; seconds: number }): Promise<ServiceLatency[]> {
  const { authz, ratelimit } = world.serviceAddresses;
  return [
    await ask('authz', authz, CHECK_PATH, checkRequest(world.headers), rate),
    await ask('ratelimit', ratelimit, LIMIT_PATH, limitRequest(world.organizationId), rate),
  ];
}

async function ask(
  name: string,
  address: string,
  path: string,
  message: Uint8Array,
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<ServiceLatency> {
  const client = createUnaryClient(address, path, message);
  try {
    await client.ask(perSecond, WARM_UP_SECONDS, () => {});
    const latenciesMs: number[] = [];
    const counts = await client.ask(perSecond, seconds, (_, tookMs) => latenciesMs.push(tookMs));
    return { name, ...counts, latenciesMs: latenciesMs.sort((a, b) => a - b) };
  } finally {
    client.close();
  }
}

/** As Envoy asks, with the headers of the bench's requests. */
function checkRequest(headers: Readonly<Record<string, string>>): Uint8Array {
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return CheckRequest.encode({ attributes: { request: { http: { headers: lower } }, contextExtensions: {} } }).finish();
}

function limitRequest(organizationId: string): Uint8Array {
  const descriptor = { entries: [{ key: 'organization_id', value: organizationId }], limit: undefined, hitsAddend: undefined };
  return RateLimitRequest.encode({ domain: 'tollgate', descriptors: [descriptor], hitsAddend: 0 }).finish();
}

import type { OrganizationLimits } from '@tollgate/domain/limits';
import { appliedLimits } from '@tollgate/limit-store/applied-limits';
import { decide } from '@tollgate/limit-store/decide';
import { createDegradingLimitStore } from '@tollgate/limit-store/degrading-limit-store';
import { createMemoryLimitStore } from '@tollgate/limit-store/memory/memory-limit-store';
import { RateLimitRequest, RateLimitResponse } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import { rateLimit } from '@tollgate/ratelimit-service/grpc/rate-limit';
import { GRPC_STATUS, GrpcError } from '@tollgate/service-kit/grpc';
import { expect } from 'vitest';
import { fuzz } from './fuzz.js';
import { mutated } from './mutate.js';

const ORGANIZATION = '018f3a2e-0000-7000-8000-000000000001';
const KEY = '018f3a2e-0000-7000-8000-000000000002';
const LIMITS: OrganizationLimits = {
  plan: { perMinute: 100, burst: 150, perDay: 10_000, perMonth: 100_000 },
  override: {},
  billingAnchorDay: 31,
  keyLimits: new Map([[KEY, { perMinute: 10, burst: 10 }]]),
};

const store = createDegradingLimitStore(createMemoryLimitStore(), { mode: 'local', instances: 1, onChange: () => {} });
const method = rateLimit({
  now: () => 1_795_427_988_000,
  onDecision: () => {},
  async decide({ organizationId, keyId, cost, tightening }) {
    if (organizationId !== ORGANIZATION) return { kind: 'unlimited' };
    const applied = appliedLimits(LIMITS, keyId, tightening);
    return decide(applied.shown, await store.take({ organizationId, cost, limits: applied.store }));
  },
});

const ENTRIES = [
  { key: 'organization_id', value: ORGANIZATION },
  { key: 'key_id', value: KEY },
];
const REQUESTS = [
  { domain: 'tollgate', descriptors: [{ entries: ENTRIES }], hitsAddend: 0 },
  { domain: 'tollgate', descriptors: [{ entries: ENTRIES.slice(0, 1), hitsAddend: 7 }], hitsAddend: 1 },
  { domain: 'tollgate', descriptors: [{ entries: ENTRIES, limit: { requestsPerUnit: 5, unit: 2 } }], hitsAddend: 3 },
  {
    domain: 'tollgate',
    descriptors: [{ entries: ENTRIES, limit: { requestsPerUnit: 5, unit: 4 }, hitsAddend: 0 }],
    hitsAddend: 0,
  },
  { domain: 'other', descriptors: [{ entries: ENTRIES }, { entries: [] }], hitsAddend: 0 },
].map((request) => RateLimitRequest.encode(request as unknown as RateLimitRequest).finish());
const WORDS = ['tollgate', 'organization_id', 'key_id', ORGANIZATION, KEY, '\x1a\x02\x08\x05', '\x18\xff\xff\xff\xff\x0f'];

fuzz('a RateLimitRequest', async (random) => {
  if (method.kind !== 'unary') throw new Error('not a unary method');
  const bytes = mutated(random.pick(REQUESTS), { others: REQUESTS, words: WORDS }, random);
  try {
    const answer = RateLimitResponse.decode(await method.answer(bytes, { header: () => undefined }));
    // Envoy lets UNKNOWN through, whatever its configuration says.
    expect([1, 2]).toContain(answer.overallCode);
  } catch (error) {
    if (!(error instanceof GrpcError) || error.code !== GRPC_STATUS.INVALID_ARGUMENT) throw error;
  }
});

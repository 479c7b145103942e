import type { EndedRequest } from '../src/usage-event.js';

export const ORGANIZATION_ID = '018f3a2e-0000-7000-8000-000000000001';
export const KEY_ID = '018f3a2e-0000-7000-8000-000000000002';

export function identity(environment = 'live') {
  return { 'envoy.filters.http.ext_authz': { organization_id: ORGANIZATION_ID, key_id: KEY_ID, plan: 'basic', environment } };
}

/** A request that an upstream answered with 200. */
export function anEndedRequest(changes: Partial<EndedRequest> = {}): EndedRequest {
  return {
    nodeId: 'edge-1',
    streamId: '3d0a3b2e-5d3f-4f5e-9a51-2f1f4d7e8a10',
    startMicros: 1_795_427_988_123_456n,
    metadata: { ...identity(), 'envoy.filters.http.ratelimit': { decision: 'allowed' } },
    method: 'GET',
    path: '/v1/orders?secret=1',
    route: 'orders',
    requestId: '3d0a3b2e-5d3f-4f5e-9a51-2f1f4d7e8a10',
    statusCode: 200,
    upstreamAnswered: true,
    cutByUpstream: false,
    grpcStatus: undefined,
    responseTimeMs: 12.3,
    requestBytes: 0,
    responseBytes: 512,
    ...changes,
  };
}

import { RateLimitRequest } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import { type CallInfo, GRPC_STATUS, GrpcError, type GrpcMethod, unaryMethod } from '@tollgate/service-kit/grpc';
import type { Decision } from '../decide.js';
import { type LimitRequest, requestFrom } from './descriptors.js';
import { rateLimitResponse } from './response.js';

type TakeOf = Extract<LimitRequest, { kind: 'take' }>;

export interface RateLimitOptions {
  decide: (request: TakeOf, nowMs: number) => Promise<Decision>;
  now: () => Date;
  onDecision: (outcome: Decision | { kind: 'failed'; error: unknown }, requestId: string | null) => void;
}

const UNLIMITED: Decision = { kind: 'unlimited' };

/**
 * Envoy's question whether a request is over a limit. The one place with this service's failure policy: where no limit can
 * be found or counted, the call fails, Envoy lets the request through (fail open), and the missing metadata marks it.
 */
export function rateLimit(options: RateLimitOptions): GrpcMethod {
  const { decide, now, onDecision } = options;

  async function shouldRateLimit(message: RateLimitRequest, call: CallInfo): Promise<Uint8Array> {
    const request = requestFrom(message);
    if (request.kind === 'invalid') throw new GrpcError(GRPC_STATUS.INVALID_ARGUMENT, request.reason);
    const requestId = call.header('x-request-id') ?? null;
    const at = now();
    let decision = UNLIMITED;
    if (request.kind === 'take') {
      try {
        decision = await decide(request, at.getTime());
      } catch (error) {
        onDecision({ kind: 'failed', error }, requestId);
        throw new GrpcError(GRPC_STATUS.UNAVAILABLE, 'The limits of this organization cannot be read right now.', {
          cause: error,
        });
      }
    }
    onDecision(decision, requestId);
    return rateLimitResponse(decision, requestId, at);
  }

  const path = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
  return unaryMethod(path, (bytes) => RateLimitRequest.decode(bytes), shouldRateLimit);
}

import type { Decision } from '@tollgate/limit-store/decide';
import { RateLimitRequest } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import { type CallInfo, type CallSpan, GRPC_STATUS, GrpcError, type GrpcMethod, unaryMethod } from '@tollgate/service-kit/grpc';
import { type LimitRequest, requestFrom } from './descriptors.js';
import type { HeaderForm } from './limit-headers.js';
import { limitResponse, unlimitedResponse } from './response.js';
import type { AnswerByRules } from './rule-limit.js';

type TakeOf = Extract<LimitRequest, { kind: 'take' }>;

export interface RateLimitOptions {
  /** Asked first, where there are rules for other domains. */
  byRules?: AnswerByRules | undefined;
  decide: (request: TakeOf, nowMs: number) => Promise<Decision>;
  /** Unix milliseconds. */
  now: () => number;
  /** How callers are told of their limits; default `x-ratelimit`. */
  headers?: HeaderForm;
  onDecision: (outcome: Outcome, call: CallInfo) => void;
}

/** What was decided, or that no limit could be found or counted. */
export type Outcome = Decision | { kind: 'failed'; error: unknown };

export const SHOULD_RATE_LIMIT_PATH = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';

const UNLIMITED: Decision = { kind: 'unlimited' };

/**
 * Envoy's question whether a request is over a limit. The one place with this service's failure policy: where no limit can
 * be found or counted, the call fails, Envoy lets the request through (fail open), and the missing metadata marks it.
 */
export function rateLimit(options: RateLimitOptions): GrpcMethod {
  const { byRules, decide, now, onDecision, headers } = options;

  function tell(outcome: Outcome, call: CallInfo): void {
    onDecision(outcome, call);
    if (call.span !== undefined) describe(outcome, call.span);
  }

  async function shouldRateLimit(message: RateLimitRequest, call: CallInfo): Promise<Uint8Array> {
    const byRule = byRules?.(message, call);
    if (byRule !== undefined) return byRule;
    const request = requestFrom(message);
    if (request.kind === 'invalid') throw new GrpcError(GRPC_STATUS.INVALID_ARGUMENT, request.reason);
    if (request.kind === 'unlimited') {
      tell(UNLIMITED, call);
      return unlimitedResponse(request.descriptors);
    }
    const nowMs = now();
    const decision = await decided(request, nowMs, call);
    tell(decision, call);
    if (decision.kind === 'unlimited') return unlimitedResponse(1);
    const requestId = decision.kind === 'limited' ? (call.header('x-request-id') ?? null) : null;
    return limitResponse(decision, requestId, new Date(nowMs), headers);
  }

  async function decided(request: TakeOf, nowMs: number, call: CallInfo): Promise<Decision> {
    try {
      return await decide(request, nowMs);
    } catch (error) {
      tell({ kind: 'failed', error }, call);
      const message = 'The limits of this organization cannot be read right now.';
      throw new GrpcError(GRPC_STATUS.UNAVAILABLE, message, { cause: error });
    }
  }

  return unaryMethod(SHOULD_RATE_LIMIT_PATH, (bytes) => RateLimitRequest.decode(bytes), shouldRateLimit);
}

function describe(outcome: Outcome, span: CallSpan): void {
  span.set('tollgate.decision', outcome.kind);
  if ('trip' in outcome) span.set('tollgate.limit', outcome.trip.window);
  if ('isDegraded' in outcome) span.set('tollgate.degraded', outcome.isDegraded);
}

import { type Applied, appliedLimits } from '@tollgate/descriptor-limits/descriptor-limits';
import { type DescriptorStatus, judgeDescriptors, type Taken } from '@tollgate/descriptor-limits/judge-descriptors';
import type { RuleSet } from '@tollgate/descriptor-limits/rule';
import type { TakeRequest } from '@tollgate/limit-store/limit-store';
import type { RateLimitRequest } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import { type CallInfo, GRPC_STATUS, GrpcError } from '@tollgate/service-kit/grpc';
import type { RuleMetrics, RuleResult } from '../rule-metrics.js';
import { ruleRequestFrom } from './rule-request.js';
import { ruleResponse } from './rule-response.js';

export interface RuleLimitOptions {
  /** Those in force. */
  rules: () => RuleSet;
  take: (request: TakeRequest) => Promise<NonNullable<Taken>>;
  /** Unix milliseconds. */
  now: () => number;
  told: Pick<RuleMetrics, 'onRule' | 'onUnmatched'>;
}

/** Answers a call of a domain that has rules; undefined where it has none. Throws a GrpcError where the call is senseless. */
export type AnswerByRules = (message: RateLimitRequest, call: CallInfo) => Promise<Uint8Array> | undefined;

/** The takes of a call are sent together, and each counts whatever becomes of the others. */
export function answerByRules({ rules, take, now, told }: RuleLimitOptions): AnswerByRules {
  return (message, call) => {
    const ofDomain = rules().get(message.domain);
    if (ofDomain === undefined) return undefined;
    const request = ruleRequestFrom(message);
    if (request.kind === 'invalid') throw new GrpcError(GRPC_STATUS.INVALID_ARGUMENT, request.reason);
    return answer(appliedLimits(message.domain, ofDomain, request.descriptors), call);
  };

  async function answer(applied: readonly Applied[], call: CallInfo): Promise<Uint8Array> {
    const taken = await Promise.all(applied.map((each) => (each.kind === 'limit' ? take(each.take) : undefined)));
    const decision = judgeDescriptors(applied, taken);
    call.span?.set('tollgate.decision', decision.kind);
    for (const [i, each] of applied.entries()) tell(each, decision.statuses[i]);
    const requestId = decision.kind === 'limited' ? (call.header('x-request-id') ?? null) : null;
    return ruleResponse(decision, requestId, new Date(now()));
  }

  function tell(applied: Applied, status: DescriptorStatus | undefined): void {
    if (applied.kind === 'none' || status === undefined) told.onUnmatched();
    else told.onRule(applied.metric.rule, applied.metric.detailed, resultOf(status));
  }
}

function resultOf(status: DescriptorStatus): RuleResult {
  if (status.kind !== 'limit') return 'unlimited';
  if (status.isOver) return 'over_limit';
  return status.isShadowed ? 'shadow_over_limit' : 'within_limit';
}

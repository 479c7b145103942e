import { CheckRequest } from '@tollgate/protos/envoy/service/auth/v3/external_auth';
import type { CallInfo, GrpcMethod } from '@tollgate/service-kit/grpc';
import { unaryMethod } from '@tollgate/service-kit/grpc';
import type { Decision } from '../authorize.js';
import type { PresentedKey } from '../presented-key.js';
import { keyFrom } from './check-request.js';
import { allowedResponse, deniedResponse, unavailableResponse } from './check-response.js';

export interface ExtAuthzOptions {
  authorize: (presented: PresentedKey, nowMs: number) => Decision | Promise<Decision>;
  /** Unix milliseconds. */
  now: () => number;
  /** Told of each decision; `error` only where nobody could tell. */
  onDecision: (decision: Decision | { kind: 'unavailable'; error: unknown }, durationMs: number) => void;
}

export const CHECK_PATH = '/envoy.service.auth.v3.Authorization/Check';

/** Of 503 answers, seconds. */
const RETRY_AFTER_MIN = 1;
const RETRY_AFTER_SPREAD = 3;

/**
 * Envoy's question before every request. The one place with authz's failure policy: whoever cannot be judged is refused
 * with 503, and never told that the key is bad.
 */
export function extAuthz(options: ExtAuthzOptions): GrpcMethod {
  const { authorize, now, onDecision } = options;

  function check(request: CheckRequest, call: CallInfo): Uint8Array | Promise<Uint8Array> {
    const startMs = performance.now();
    const nowMs = now();

    const answer = (decision: Decision): Uint8Array => {
      onDecision(decision, performance.now() - startMs);
      if (decision.kind === 'allowed') return allowedResponse(decision.key, decision.isInAuthorization);
      return deniedResponse(decision.code, requestIdOf(call), new Date(nowMs));
    };
    const refuse = (error: unknown): Uint8Array => {
      onDecision({ kind: 'unavailable', error }, performance.now() - startMs);
      const retryAfterSeconds = RETRY_AFTER_MIN + Math.floor(Math.random() * RETRY_AFTER_SPREAD);
      return unavailableResponse(requestIdOf(call), new Date(nowMs), retryAfterSeconds);
    };

    try {
      const decision = authorize(keyFrom(request), nowMs);
      return decision instanceof Promise ? decision.then(answer).catch(refuse) : answer(decision);
    } catch (error) {
      return refuse(error);
    }
  }

  return unaryMethod(CHECK_PATH, (bytes) => CheckRequest.decode(bytes), check);
}

function requestIdOf(call: CallInfo): string | null {
  return call.header('x-request-id') ?? null;
}

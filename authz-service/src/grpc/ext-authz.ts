import { CheckRequest } from '@tollgate/protos/envoy/service/auth/v3/external_auth';
import type { CallInfo, GrpcMethod } from '@tollgate/service-kit/grpc';
import { unaryMethod } from '@tollgate/service-kit/grpc';
import type { Decision } from '../authorize.js';
import type { PresentedKey } from '../presented-key.js';
import { keyFrom } from './check-request.js';
import { checkResponse, unavailableResponse } from './check-response.js';

export interface ExtAuthzOptions {
  authorize: (presented: PresentedKey, nowMs: number) => Decision | Promise<Decision>;
  now: () => Date;
  /** Told of each decision; `error` only where nobody could tell. */
  onDecision: (decision: Decision | { kind: 'unavailable'; error: unknown }, requestId: string | null, startMs: number) => void;
}

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
    const requestId = call.header('x-request-id') ?? null;
    const startMs = performance.now();
    const at = now();

    const answer = (decision: Decision): Uint8Array => {
      onDecision(decision, requestId, startMs);
      return checkResponse(decision, requestId, at);
    };
    const refuse = (error: unknown): Uint8Array => {
      onDecision({ kind: 'unavailable', error }, requestId, startMs);
      return unavailableResponse(requestId, at, RETRY_AFTER_MIN + Math.floor(Math.random() * RETRY_AFTER_SPREAD));
    };

    try {
      const decision = authorize(keyFrom(request), at.getTime());
      return decision instanceof Promise ? decision.then(answer).catch(refuse) : answer(decision);
    } catch (error) {
      return refuse(error);
    }
  }

  return unaryMethod('/envoy.service.auth.v3.Authorization/Check', (bytes) => CheckRequest.decode(bytes), check);
}

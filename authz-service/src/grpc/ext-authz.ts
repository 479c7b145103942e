import { CheckRequest } from '@tollgate/protos/envoy/service/auth/v3/external_auth';
import type { CallInfo, CallSpan, GrpcMethod } from '@tollgate/service-kit/grpc';
import { unaryMethod } from '@tollgate/service-kit/grpc';
import type { LoadShedder } from '@tollgate/service-kit/load-shedder';
import type { Decision } from '../authorize.js';
import type { PresentedKey } from '../presented-key.js';
import { demandFrom, keyFrom } from './check-request.js';
import { allowedResponse, deniedResponse, unavailableResponse } from './check-response.js';
import { shedResponse } from './shed-response.js';

export interface ExtAuthzOptions {
  authorize: (presented: PresentedKey, nowMs: number, demand: string) => Decision | Promise<Decision>;
  /** Whether keys may pass that do not have our form; see presented-key. */
  acceptsForeignKeys?: boolean;
  /** Unix milliseconds. */
  now: () => number;
  /** Whether there is room for one more call. */
  shedder: LoadShedder;
  onDecision: (outcome: Outcome, durationMs: number, call: CallInfo) => void;
}

/** What was decided; that nobody could tell, and why; or that there was no room to look. */
export type Outcome = Decision | { kind: 'unavailable'; error: unknown } | { kind: 'shed' };

export const CHECK_PATH = '/envoy.service.auth.v3.Authorization/Check';

/** Of 503 answers, seconds. */
const RETRY_AFTER_MIN = 1;
const RETRY_AFTER_SPREAD = 3;

/**
 * Envoy's question before every request. The one place with authz's failure policy: whoever cannot be judged is refused
 * with 503, and never told that the key is bad.
 */
export function extAuthz(options: ExtAuthzOptions): GrpcMethod {
  const { authorize, acceptsForeignKeys = false, now, shedder, onDecision } = options;

  function check(request: CheckRequest, call: CallInfo): Uint8Array | Promise<Uint8Array> {
    const startMs = performance.now();
    const nowMs = now();

    const answer = (decision: Decision): Uint8Array => {
      tell(decision, startMs, call);
      if (decision.kind === 'allowed') return allowedResponse(decision.key, decision.isInAuthorization);
      return deniedResponse(decision, requestIdOf(call), new Date(nowMs));
    };
    const fail = (error: unknown): Uint8Array => {
      tell({ kind: 'unavailable', error }, startMs, call);
      return unavailableResponse(requestIdOf(call), new Date(nowMs), retryAfterSeconds());
    };

    if (!shedder.tryEnter(startMs)) return shed(call);
    let answered: Uint8Array | Promise<Uint8Array>;
    try {
      const decision = authorize(keyFrom(request, acceptsForeignKeys), nowMs, demandFrom(request));
      if (decision instanceof Promise) return decision.then(answer).catch(fail).finally(shedder.leave);
      answered = answer(decision);
    } catch (error) {
      answered = fail(error);
    }
    shedder.leave();
    return answered;
  }

  function tell(outcome: Outcome, startMs: number, call: CallInfo): void {
    onDecision(outcome, performance.now() - startMs, call);
    if (call.span !== undefined) describe(outcome, call.span);
  }

  function shed(call: CallInfo): Uint8Array {
    onDecision({ kind: 'shed' }, 0, call);
    call.span?.set('tollgate.decision', 'shed');
    return shedResponse(requestIdOf(call), new Date(now()), retryAfterSeconds());
  }

  return unaryMethod(
    CHECK_PATH,
    (bytes) => CheckRequest.decode(bytes),
    check,
    (call) => (shedder.hasRoom(performance.now()) ? undefined : shed(call)),
  );
}

function describe(outcome: Outcome, span: CallSpan): void {
  span.set('tollgate.decision', outcome.kind);
  if (outcome.kind === 'denied') span.set('tollgate.reason', outcome.code);
}

function retryAfterSeconds(): number {
  return RETRY_AFTER_MIN + Math.floor(Math.random() * RETRY_AFTER_SPREAD);
}

function requestIdOf(call: CallInfo): string | null {
  return call.header('x-request-id') ?? null;
}

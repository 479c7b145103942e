import { type Counters, LOOK_PATH, RESET_PATH } from '../counters.js';
import type { LimitState, TakeResult } from '../limit-store.js';
import { StoreUnavailable } from '../store-unavailable.js';

export interface RemoteCountersOptions {
  /** Of the admin port of a ratelimit-service: `http://127.0.0.1:9102`. */
  url: string;
  /** Its ADMIN_TOKEN. */
  token: string;
}

const DEADLINE_MS = 3_000;

/** The counters of a running ratelimit-service, wherever it keeps them, by way of its admin port; see counter-actions.ts. */
export function createRemoteCounters({ url, token }: RemoteCountersOptions): Counters {
  const post = async (path: string, body: object): Promise<unknown> => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(DEADLINE_MS),
      redirect: 'error',
    }).catch((error: unknown) => {
      throw new StoreUnavailable(`no answer from ${url}`, error);
    });
    const text = await response.text();
    if (response.ok) return JSON.parse(text);
    throw new StoreUnavailable(`${url} answers ${response.status}: ${messageOf(text)}`);
  };
  return {
    look: async ({ organizationId, cost, limits }) =>
      resultFrom((await post(LOOK_PATH, { organization_id: organizationId, cost, limits })) as TakeResult),
    async reset(organizationId, limitIds) {
      await post(RESET_PATH, { organization_id: organizationId, limit_ids: limitIds });
    },
    close: async () => {},
  };
}

/** JSON has no Infinity, and writes null for it. */
function resultFrom({ isAllowed, states, nowMs }: TakeResult): TakeResult {
  const whole = ({ waitMs, ...state }: LimitState): LimitState => ({ ...state, waitMs: waitMs ?? Infinity });
  return { isAllowed, states: states.map(whole), nowMs };
}

function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as { error: { message: string } }).error.message;
  } catch {
    return text.slice(0, 100);
  }
}

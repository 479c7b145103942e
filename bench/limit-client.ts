/** Asks a rate limiter at a fixed rate. */
import { RateLimitRequest, RateLimitResponse } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import { createUnaryClient } from './unary-client.js';

export interface Asked {
  calls: number;
  errors: number;
  /** Decided without Redis, as X-RateLimit-Degraded says. */
  degraded: number;
  /** From when each was due to its answer, sorted. */
  latenciesMs: number[];
  /** When the first answer came that Redis had decided, from the beginning. */
  firstByRedisMs: number | undefined;
}

export interface LimitClient {
  ask(perSecond: number, seconds: number): Promise<Asked>;
  close(): void;
}

const PATH = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';

export function createLimitClient(address: string, domain: string, entries: Readonly<Record<string, string>>): LimitClient {
  const descriptor = {
    entries: Object.entries(entries).map(([key, value]) => ({ key, value })),
    limit: undefined,
    hitsAddend: undefined,
  };
  const message = RateLimitRequest.encode({ domain, descriptors: [descriptor], hitsAddend: 0 }).finish();
  const client = createUnaryClient(address, PATH, [message]);
  return {
    async ask(perSecond, seconds) {
      const asked: Omit<Asked, 'calls' | 'errors'> = { degraded: 0, latenciesMs: [], firstByRedisMs: undefined };
      const counts = await client.ask(perSecond, seconds, (answer, tookMs, sinceMs) => {
        asked.latenciesMs.push(tookMs);
        if (isDegraded(answer)) asked.degraded++;
        else asked.firstByRedisMs ??= sinceMs;
      });
      asked.latenciesMs.sort((a, b) => a - b);
      return { ...asked, ...counts };
    },
    close: () => client.close(),
  };
}

function isDegraded(answer: Buffer): boolean {
  return RateLimitResponse.decode(answer).responseHeadersToAdd.some(({ key }) => key === 'X-RateLimit-Degraded');
}

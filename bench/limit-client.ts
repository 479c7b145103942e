/** Asks a rate limiter at a fixed rate, whatever it does: a call that is due is sent, and its time runs from when it was due. */
import { connect } from 'node:http2';
import { RateLimitRequest, RateLimitResponse } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';

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

/** Not by a gRPC library: the time that a client of its own takes would be taken for the service's. */
const HEADERS = {
  ':method': 'POST',
  ':path': '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit',
  'content-type': 'application/grpc',
  te: 'trailers',
};
const PREFIX_BYTES = 5;
const NO_ANSWER = new Error('the call ended without an answer');
/** As Envoy waits for us. */
const DEADLINE_MS = 1_000;

export function createLimitClient(address: string, domain: string, entries: Readonly<Record<string, string>>): LimitClient {
  const session = connect(`http://${address}`);
  const message = Buffer.from(
    RateLimitRequest.encode({
      domain,
      descriptors: [
        {
          entries: Object.entries(entries).map(([key, value]) => ({ key, value })),
          limit: undefined,
          hitsAddend: undefined,
        },
      ],
      hitsAddend: 0,
    }).finish(),
  );
  const body = Buffer.concat([Buffer.alloc(PREFIX_BYTES), message]);
  body.writeUInt32BE(message.length, 1);
  const call = (): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const stream = session.request(HEADERS);
      let answer = Buffer.alloc(0);
      stream.on('data', (piece: Buffer) => {
        answer = Buffer.concat([answer, piece]);
      });
      stream.on('error', reject);
      stream.once('close', () => (answer.length > PREFIX_BYTES ? resolve(answer.subarray(PREFIX_BYTES)) : reject(NO_ANSWER)));
      stream.setTimeout(DEADLINE_MS, () => stream.close());
      stream.end(body);
    });
  return {
    ask: async (perSecond, seconds) => {
      const asked: Asked = { calls: 0, errors: 0, degraded: 0, latenciesMs: [], firstByRedisMs: undefined };
      const startMs = performance.now();
      const underWay: Promise<void>[] = [];
      const send = (dueMs: number): void => {
        asked.calls++;
        const noted = call().then(
          (answer) => {
            asked.latenciesMs.push(performance.now() - dueMs);
            if (isDegraded(answer)) asked.degraded++;
            else asked.firstByRedisMs ??= performance.now() - startMs;
          },
          () => void asked.errors++,
        );
        underWay.push(noted);
      };
      for (let next = 0; next < perSecond * seconds; ) {
        const dueUntil = Math.min(perSecond * seconds, Math.floor(((performance.now() - startMs) / 1000) * perSecond));
        for (; next < dueUntil; next++) send(startMs + (next * 1000) / perSecond);
        // A timer would come up to two milliseconds late, and with it every call.
        await new Promise((resolve) => setImmediate(resolve));
      }
      await Promise.all(underWay);
      asked.latenciesMs.sort((a, b) => a - b);
      return asked;
    },
    close: () => session.destroy(),
  };
}

function isDegraded(answer: Buffer): boolean {
  return RateLimitResponse.decode(answer).responseHeadersToAdd.some(({ key }) => key === 'X-RateLimit-Degraded');
}

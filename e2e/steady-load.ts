import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';

const EVERY_MS = 5;
/** A load that is not worked off is no steady one. */
const MAX_IN_FLIGHT = 5_000;
const CONNECTIONS = 64;
const DEADLINE_MS = 20_000;

export interface Outcome<Kind> {
  kind: Kind;
  sentAtMs: number;
  endedAtMs: number;
  /** From its sending to its end, in fractions of a millisecond. */
  tookMs: number;
  /** 0 where no whole answer arrived. */
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface SteadyLoad<Kind> {
  /** In the order of their ends. */
  outcomes: Outcome<Kind>[];
  /** Starts no further request, and resolves when those under way have ended. */
  stop(): Promise<void>;
}

export interface LoadRequest<Kind> {
  /** What the test calls this sort of request. */
  kind: Kind;
  path: string;
  headers: Record<string, string>;
}

/** Sends so many requests a second, whether answers come or not, over kept connections: each as `next` says. */
export function startSteadyLoad<Kind>(url: string, perSecond: number, next: (n: number) => LoadRequest<Kind>): SteadyLoad<Kind> {
  const outcomes: Outcome<Kind>[] = [];
  return { outcomes, ...sendSteadily(url, perSecond, next, (outcome) => outcomes.push(outcome)) };
}

/** As startSteadyLoad; each outcome is told when it is there, and not kept. */
export function sendSteadily<Kind>(
  url: string,
  perSecond: number,
  next: (n: number) => LoadRequest<Kind>,
  tell: (outcome: Outcome<Kind>) => void,
): Pick<SteadyLoad<Kind>, 'stop'> {
  const { hostname, port } = new URL(url);
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const underWay = new Set<Promise<void>>();
  const startedMs = performance.now();
  let sent = 0;

  const send = ({ kind, path, headers }: LoadRequest<Kind>): Promise<void> =>
    new Promise((resolve) => {
      const sentAtMs = Date.now();
      const beganMs = performance.now();
      const end = (status: number, received: IncomingHttpHeaders, body: string): void => {
        const tookMs = performance.now() - beganMs;
        tell({ kind, sentAtMs, endedAtMs: Date.now(), tookMs, status, headers: received, body });
        resolve();
      };
      const signal = AbortSignal.timeout(DEADLINE_MS);
      const request = httpRequest({ hostname, port, path, headers, agent, signal }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (body += chunk));
        response.on('error', () => {});
        response.on('close', () => end(response.complete ? (response.statusCode ?? 0) : 0, response.headers, body));
      });
      request.on('error', (error) => end(0, {}, error.message));
      request.end();
    });

  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedMs) / 1000) * perSecond);
    for (; sent < due && underWay.size < MAX_IN_FLIGHT; sent++) {
      const sending: Promise<void> = send(next(sent)).finally(() => underWay.delete(sending));
      underWay.add(sending);
    }
  }, EVERY_MS);

  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
      agent.destroy();
    },
  };
}

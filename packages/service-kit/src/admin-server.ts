/** Health and metrics over HTTP, for operators and probes. What changes anything is an action, and needs a token. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AdminActions, answerAction } from './admin-actions.js';
import { formatListenAddress, isLocal, type ListenAddress } from './listen-address.js';
import type { Logger } from './log.js';
import type { Metrics } from './metrics.js';
import { type Components, createReadiness } from './readiness.js';
import { scrub } from './scrub.js';
import { freeSocketPath } from './unix-socket.js';

export type { ComponentState, Components } from './readiness.js';

export interface AdminServerOptions {
  listen: ListenAddress;
  metrics: Metrics;
  version: string;
  /** How the parts are that this service needs. It must settle; an answer counts for half a second. */
  components: () => Promise<Components>;
  /** False before all is started and from the first moment of closing. */
  isReady: () => boolean;
  log: Logger;
  /** Served on loopback and unix sockets only, since their token travels as it is. */
  actions?: AdminActions | undefined;
}

export interface AdminServer {
  /** As settings spell it, with the port that was picked. */
  address: string;
  close(): Promise<void>;
}

const HEADERS_TIMEOUT_MS = 5000;
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 256;
const CLOSE_GRACE_MS = 1000;

interface Answer {
  status: number;
  contentType: string;
  body: string;
  headers?: Record<string, string>;
}
type Route = () => Answer | Promise<Answer>;

/** Serves `/health`, `/health/live`, `/health/ready` and `/metrics`. Rejects where the address is taken. */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const routes = adminRoutes(options);
  const actions = isLocal(options.listen) ? options.actions : undefined;
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const answer = await answerTo(routes, actions, request).catch((error: unknown) => {
      options.log.error({ err: error }, 'an admin request failed');
      return errorAnswer(500, 'internal', 'The request failed.');
    });
    send(response, answer, request.method === 'HEAD');
  };
  const server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    void serve(request, response);
  });
  server.maxConnections = MAX_CONNECTIONS;
  const address = await listenOn(server, options.listen);
  return { address, close: () => closeServer(server) };
}

function adminRoutes({ metrics, version, components, isReady }: AdminServerOptions): ReadonlyMap<string, Route> {
  const startedMs = performance.now();
  const readiness = createReadiness(components);
  const about = (status: string) => ({
    status,
    timestamp: new Date().toISOString(),
    version,
    uptime_seconds: Math.floor((performance.now() - startedMs) / 1000),
  });

  const live: Route = () => json(200, about('ok'));
  const ready: Route = async () => {
    const found = await readiness(Date.now());
    const states = Object.values(found).map((component) => component.status);
    const status = !isReady() || states.includes('down') ? 'unavailable' : states.includes('degraded') ? 'degraded' : 'ok';
    return json(status === 'unavailable' ? 503 : 200, { ...about(status), components: found });
  };
  return new Map<string, Route>([
    ['/health', live],
    ['/health/live', live],
    ['/health/ready', ready],
    ['/metrics', async () => ({ status: 200, contentType: metrics.contentType, body: await metrics.text() })],
  ]);
}

async function answerTo(
  routes: ReadonlyMap<string, Route>,
  actions: AdminActions | undefined,
  request: IncomingMessage,
): Promise<Answer> {
  const path = (request.url ?? '').split('?', 1)[0] as string;
  const run = actions?.byPath.get(path);
  if (actions !== undefined && run !== undefined) {
    const { status, body } = await answerAction(actions.token, run, request);
    return { ...json(status, body), ...(status === 405 ? { headers: { allow: 'POST' } } : {}) };
  }
  const route = routes.get(path);
  if (route === undefined)
    return errorAnswer(404, 'route_not_found', 'There is /health, /health/live, /health/ready and /metrics.');
  if (request.method === 'GET' || request.method === 'HEAD') return route();
  return { ...errorAnswer(405, 'method_not_allowed', 'Only GET and HEAD are answered here.'), headers: { allow: 'GET, HEAD' } };
}

function errorAnswer(status: number, code: string, message: string): Answer {
  return json(status, { error: { code, message }, timestamp: new Date().toISOString(), request_id: null });
}

/** Details come from errors of clients and databases, whose messages may quote a URL with its password. */
function json(status: number, body: unknown): Answer {
  return { status, contentType: 'application/json', body: scrub(JSON.stringify(body)) };
}

function send(response: ServerResponse, answer: Answer, isHead: boolean): void {
  response.writeHead(answer.status, {
    ...answer.headers,
    'content-type': answer.contentType,
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
  });
  response.end(isHead ? undefined : answer.body);
}

async function listenOn(server: Server, listen: ListenAddress): Promise<string> {
  if (listen.kind === 'unix') await freeSocketPath(listen.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.kind === 'unix' ? { path: listen.path } : { host: listen.host, port: listen.port }, resolve);
  });
  const bound = server.address();
  if (listen.kind === 'unix' || bound === null || typeof bound === 'string') return formatListenAddress(listen);
  return formatListenAddress({ ...listen, port: bound.port });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(force);
      resolve();
    });
  });
}

import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerReadableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import type { HTTPAccessLogEntry } from '@tollgate/protos/envoy/data/accesslog/v3/accesslog';
import { StreamAccessLogsMessage } from '@tollgate/protos/envoy/service/accesslog/v3/als';
import { CheckRequest, CheckResponse } from '@tollgate/protos/envoy/service/auth/v3/external_auth';
import { RateLimitRequest, RateLimitResponse, RateLimitResponse_Code } from '@tollgate/protos/envoy/service/ratelimit/v3/rls';
import type { TcpAddress } from '../src/options.js';

/** The services as Envoy sees them, each answering as a test wants. All listen on ports that the system chose. */
export interface FakeServices {
  authz: TcpAddress;
  ratelimit: TcpAddress;
  usage: TcpAddress;
  checks: { request: CheckRequest; requestId: string | undefined }[];
  limitCalls: { request: RateLimitRequest; requestId: string | undefined }[];
  entries: HTTPAccessLogEntry[];
  /** How the next requests are decided; undefined makes the call fail with UNAVAILABLE. */
  decide: {
    check: (request: CheckRequest) => CheckResponse | undefined | Promise<CheckResponse | undefined>;
    limit: () => RateLimitResponse;
  };
  close(): Promise<void>;
}

export const GOOD_KEY = 'sk_live_good';

export async function startFakeServices(): Promise<FakeServices> {
  const fakes: Omit<FakeServices, 'authz' | 'ratelimit' | 'usage' | 'close'> = {
    checks: [],
    limitCalls: [],
    entries: [],
    decide: {
      check: allowGoodKey,
      limit: () => rateLimitResponse({ overallCode: RateLimitResponse_Code.OK, ...LIMITER_WORDS }),
    },
  };
  const authz = await startGrpc((server) =>
    server.addService(unary('/envoy.service.auth.v3.Authorization/Check'), {
      call: ((call, done) => {
        const request = CheckRequest.decode(call.request);
        fakes.checks.push({ request, requestId: call.metadata.get('x-request-id')[0]?.toString() });
        void Promise.resolve(fakes.decide.check(request)).then((decided) =>
          decided === undefined
            ? done({ code: status.UNAVAILABLE })
            : done(null, Buffer.from(CheckResponse.encode(decided).finish())),
        );
      }) satisfies handleUnaryCall<Buffer, Buffer>,
    }),
  );
  const ratelimit = await startGrpc((server) =>
    server.addService(unary('/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit'), {
      call: ((call, done) => {
        const requestId = call.metadata.get('x-request-id')[0]?.toString();
        fakes.limitCalls.push({ request: RateLimitRequest.decode(call.request), requestId });
        done(null, Buffer.from(RateLimitResponse.encode(fakes.decide.limit()).finish()));
      }) satisfies handleUnaryCall<Buffer, Buffer>,
    }),
  );
  const usage = await startGrpc((server) =>
    server.addService(
      { call: { ...unary('/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs').call, requestStream: true } },
      {
        call: (call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
          call.on('data', (bytes: Buffer) => {
            const { logEntries } = StreamAccessLogsMessage.decode(bytes);
            fakes.entries.push(...(logEntries?.value.logEntry ?? []));
          });
          call.on('end', () => done(null, Buffer.alloc(0)));
          call.on('error', () => {});
        },
      },
    ),
  );
  return {
    ...fakes,
    authz: authz.address,
    ratelimit: ratelimit.address,
    usage: usage.address,
    close: async () =>
      [authz, ratelimit, usage].forEach(({ stop }) => {
        stop();
      }),
  };
}

/** What the limiter says on every answer. */
const LIMITER_WORDS = {
  responseHeadersToAdd: [
    { key: 'X-RateLimit-Limit-Minute', value: '100' },
    { key: 'RateLimit', value: '"minute";r=99;t=1' },
  ],
  dynamicMetadata: { decision: 'allowed' },
};

export function overLimit(): RateLimitResponse {
  return rateLimitResponse({
    overallCode: RateLimitResponse_Code.OVER_LIMIT,
    responseHeadersToAdd: [
      ...LIMITER_WORDS.responseHeadersToAdd,
      { key: 'content-type', value: 'application/json' },
      { key: 'retry-after', value: '7' },
    ],
    rawBody: Buffer.from('{"error":{"code":"rate_limit_exceeded"}}'),
    dynamicMetadata: { decision: 'limited' },
  });
}

export function rateLimitResponse(answer: Partial<RateLimitResponse>): RateLimitResponse {
  const empty = { statuses: [], responseHeadersToAdd: [], requestHeadersToAdd: [], rawBody: Buffer.alloc(0) };
  return { overallCode: RateLimitResponse_Code.UNKNOWN, ...empty, ...answer };
}

/** What authz would say: one key is good. */
export function allowGoodKey(request: CheckRequest): CheckResponse {
  const headers = request.attributes?.request?.http?.headers ?? {};
  const isGood = headers['x-api-key'] === GOOD_KEY || headers['authorization'] === `Bearer ${GOOD_KEY}`;
  if (!isGood) {
    return {
      status: { code: status.PERMISSION_DENIED, message: '' },
      httpResponse: {
        $case: 'deniedResponse',
        value: {
          status: { code: 401 },
          headers: [set('content-type', 'application/json')],
          body: '{"error":{"code":"missing_api_key"}}',
        },
      },
    };
  }
  return {
    status: { code: status.OK, message: '' },
    httpResponse: {
      $case: 'okResponse',
      value: {
        headers: [set('x-organization-id', 'org-1'), set('x-api-key-id', 'key-1'), set('x-plan-tier', 'basic')],
        headersToRemove: ['x-api-key', 'authorization'],
        responseHeadersToAdd: [],
      },
    },
    dynamicMetadata: { organization_id: 'org-1', key_id: 'key-1', plan: 'basic', environment: 'live' },
  };
}

/** authz is up and says that it cannot decide. */
export function cannotDecide(): CheckResponse {
  return {
    status: { code: status.UNAVAILABLE, message: '' },
    httpResponse: {
      $case: 'errorResponse',
      value: {
        status: { code: 503 },
        headers: [set('content-type', 'application/json'), set('retry-after', '2')],
        body: '{"error":{"code":"authorization_unavailable","message":"of authz itself"}}',
      },
    },
  };
}

function set(key: string, value: string): { header: { key: string; value: string }; append: boolean } {
  return { header: { key, value }, append: false };
}

function unary(path: string) {
  const bytes = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
  return { call: { path, requestStream: false, responseStream: false, ...bytes } };
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

/** A gRPC server with grpc.health.v1, which answers SERVING (1) to everything. */
async function startGrpc(addService: (server: Server) => void): Promise<{ address: TcpAddress; stop(): void }> {
  const server = new Server();
  server.addService(unary('/grpc.health.v1.Health/Check'), {
    call: ((_call, done) => done(null, Buffer.from([0x08, 0x01]))) satisfies handleUnaryCall<Buffer, Buffer>,
  });
  addService(server);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { address: { host: '127.0.0.1', port }, stop: () => server.forceShutdown() };
}

export interface FakeUpstream {
  url: string;
  requests: { path: string; headers: IncomingHttpHeaders }[];
  /** What an upgrade gets; a greeting and the end if nothing else is set. */
  onUpgrade: (request: IncomingMessage, socket: Duplex) => void;
  close(): Promise<void>;
}

/** An API whose answer depends on the path; it remembers what reached it. */
export async function startFakeUpstream(answers: Record<string, RequestListener>): Promise<FakeUpstream> {
  const requests: FakeUpstream['requests'] = [];
  const server = createHttpServer((request, response) => {
    const path = request.url ?? '';
    requests.push({ path, headers: request.headers });
    const answer = answers[path.split('?')[0] ?? ''];
    if (answer === undefined) response.end('upstream');
    else answer(request, response);
  });
  server.on('upgrade', (received, socket) => upstream.onUpgrade(received, socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const upstream: FakeUpstream = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    onUpgrade(_request, socket) {
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello');
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return upstream;
}

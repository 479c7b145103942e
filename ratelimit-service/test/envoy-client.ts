import { Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { envoyPath } from '@tollgate/testing/envoy';
import { envoyDescriptors, envoyMethod } from '@tollgate/testing/envoy-protos';
import { onTestFinished } from 'vitest';

export const SHOULD_RATE_LIMIT = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
/** Envoy's numbers. */
export const CODE = { OK: 1, OVER_LIMIT: 2 } as const;
export const UNIT = { SECOND: 1, MINUTE: 2, HOUR: 3, DAY: 4, MONTH: 5 } as const;
const DEADLINE_MS = 20_000;
const asIs = (bytes: Buffer): Buffer => bytes;

export interface Descriptor {
  entries: { key: string; value: string }[];
  limit?: { requests_per_unit: number; unit: number };
  hits_addend?: { value: number };
}

/** The descriptor that the gateway's configuration makes. */
export function descriptorOf(organizationId: string, keyId = '', parts: Partial<Descriptor> = {}): Descriptor {
  const entries = [
    { key: 'organization_id', value: organizationId },
    { key: 'key_id', value: keyId },
  ];
  return { entries, ...parts };
}

/** An answer of the limiter, as a proxy reads it. */
export interface LimitAnswer {
  code: number;
  statuses: object[];
  headers: Record<string, string>;
  body: string;
  metadata: Record<string, unknown>;
}

/** Another proxy than Envoy: speaks the complete protos of the rate limit service. Closed when the test is. */
export async function envoyClient(address: string) {
  const method = envoyMethod(envoyDescriptors(await envoyPath()), SHOULD_RATE_LIMIT);
  const client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  onTestFinished(() => client.close());
  return {
    /** Rejects with grpc-js's error, which has a `code`. */
    ask: async (
      request: { domain?: string; descriptors: Descriptor[]; hits_addend?: number },
      requestId?: string,
      headers: Record<string, string> = {},
    ) => {
      const metadata = { ...headers, ...(requestId !== undefined && { 'x-request-id': requestId }) };
      return answerOf(await call(client, method, { domain: 'tollgate', ...request }, metadata));
    },
    raw: (path: string, bytes: Buffer): Promise<Buffer> =>
      call(client, { path, requestSerialize: asIs, responseDeserialize: asIs }, bytes),
  };
}

function call<Request, Response>(
  client: Client,
  method: Pick<MethodDefinition<Request, Response>, 'path' | 'requestSerialize' | 'responseDeserialize'>,
  message: Request,
  headers: Record<string, string> = {},
): Promise<Response> {
  const metadata = Metadata.fromHttp2Headers(headers);
  return new Promise((resolve, reject) => {
    const { path, requestSerialize, responseDeserialize } = method;
    const deadline = Date.now() + DEADLINE_MS;
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, metadata, { deadline }, (error, answer) =>
      error === null ? resolve(answer as Response) : reject(error),
    );
  });
}

export function answerOf(message: object): LimitAnswer {
  const decoded = message as {
    overall_code?: number;
    statuses?: object[];
    response_headers_to_add?: { key: string; value: string }[];
    raw_body?: Buffer;
    dynamic_metadata?: { fields?: Record<string, { string_value?: string }> };
  };
  const fields = Object.entries(decoded.dynamic_metadata?.fields ?? {});
  return {
    code: decoded.overall_code ?? 0,
    statuses: decoded.statuses ?? [],
    headers: Object.fromEntries((decoded.response_headers_to_add ?? []).map(({ key, value }) => [key, value])),
    body: decoded.raw_body?.toString() ?? '',
    metadata: Object.fromEntries(fields.map(([name, value]) => [name, value.string_value])),
  };
}

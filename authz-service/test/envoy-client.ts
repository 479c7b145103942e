import { Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { envoyPath } from '@tollgate/testing/envoy';
import { envoyDescriptors, envoyMethod } from '@tollgate/testing/envoy-protos';
import { onTestFinished } from 'vitest';

export const CHECK = '/envoy.service.auth.v3.Authorization/Check';
const DEADLINE_MS = 20_000;
const asIs = (bytes: Buffer): Buffer => bytes;

/** An answer of authz, as a proxy reads it. */
export interface CheckAnswer {
  /** What stands in the oneof: `ok_response`, `denied_response` or `error_response`. */
  kind: string;
  /** 200 where the request may pass. */
  status: number;
  /** `error.code` of the body, if there is one. */
  code: string | undefined;
  /** Of the answer to the caller, or to the upstream where the request may pass. */
  headers: Record<string, string>;
  body: { request_id?: string | null; error?: { message?: string; details?: unknown } };
  metadata: Record<string, unknown> | undefined;
}

/** Another proxy than Envoy: speaks the complete protos of ext_authz over plain gRPC. Closed when the test is. */
export async function envoyClient(address: string) {
  const method = envoyMethod(envoyDescriptors(await envoyPath()), CHECK);
  const client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  onTestFinished(() => client.close());
  return {
    /** Rejects with grpc-js's error, which has a `code`. */
    async check(
      headers: Record<string, string>,
      requestId?: string,
      scope = '',
      metadata: Record<string, string> = {},
    ): Promise<CheckAnswer> {
      const http = { id: '1', method: 'GET', path: '/v1/orders?page=2', host: 'api.example.com', headers };
      const message = { attributes: { request: { http }, context_extensions: { scope } } };
      const sent = { ...metadata, ...(requestId !== undefined && { 'x-request-id': requestId }) };
      return answerOf(await call(client, method, message, sent));
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

interface Decoded {
  dynamic_metadata?: { fields?: Record<string, { string_value?: string }> };
  [kind: string]: unknown;
}
interface HttpResponse {
  status?: { code: number };
  headers?: { header: { key: string; value: string } }[];
  body?: string;
}

function answerOf(message: object): CheckAnswer {
  const decoded = message as Decoded;
  const kind = Object.keys(decoded).find((name) => name.endsWith('_response')) ?? 'none';
  const response = (decoded[kind] ?? {}) as HttpResponse;
  const body = JSON.parse(response.body ?? '{}') as CheckAnswer['body'] & { error?: { code: string } };
  const fields = decoded.dynamic_metadata?.fields;
  return {
    kind,
    status: response.status?.code ?? 200,
    code: body.error?.code,
    headers: Object.fromEntries((response.headers ?? []).map(({ header }) => [header.key, header.value])),
    body,
    metadata: fields && Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value.string_value])),
  };
}

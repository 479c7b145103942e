import { Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { envoyPath } from '@tollgate/testing/envoy';
import { envoyDescriptors, envoyMethod } from '@tollgate/testing/envoy-protos';

const CHECK = '/envoy.service.auth.v3.Authorization/Check';
const SHOULD_RATE_LIMIT = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
const DEADLINE_MS = 20_000;

/** `ok`, or the code of the error. `kind` is the answer's in the protocol: `denied_response` and `error_response` differ. */
export interface CheckAnswer {
  kind: string;
  status: number;
  code: string;
}

/** A proxy in Envoy's place that asks one instance alone. Answers reject with grpc-js's error. */
export interface EnvoyPeer {
  check(secret?: string): Promise<CheckAnswer>;
  /** Takes nothing; returns the headers for the caller, with names in small letters. */
  look(organizationId: string): Promise<Record<string, string>>;
  close(): void;
}

export async function envoyPeer(address: string): Promise<EnvoyPeer> {
  const descriptors = envoyDescriptors(await envoyPath());
  const [check, take] = [envoyMethod(descriptors, CHECK), envoyMethod(descriptors, SHOULD_RATE_LIMIT)];
  const client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  return {
    async check(secret) {
      const headers = secret === undefined ? {} : { 'x-api-key': secret };
      const http = { id: '1', method: 'GET', path: '/x', host: 'api.example.com', headers };
      return checkAnswer(await call(client, check, { attributes: { request: { http } } }));
    },
    async look(organizationId) {
      const entries = [{ key: 'organization_id', value: organizationId }];
      const request = { domain: 'tollgate', descriptors: [{ entries, hits_addend: { value: 0 } }] };
      const answer = (await call(client, take, request)) as { response_headers_to_add?: { key: string; value: string }[] };
      return Object.fromEntries((answer.response_headers_to_add ?? []).map(({ key, value }) => [key.toLowerCase(), value]));
    },
    close: () => client.close(),
  };
}

function call(client: Client, method: MethodDefinition<object, object>, message: object): Promise<object> {
  const { path, requestSerialize, responseDeserialize } = method;
  const options = { deadline: Date.now() + DEADLINE_MS };
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, new Metadata(), options, (error, answer) =>
      error === null ? resolve(answer as object) : reject(error),
    );
  });
}

function checkAnswer(message: object): CheckAnswer {
  const kind = Object.keys(message).find((name) => name.endsWith('_response')) ?? 'none';
  const response = (message as Record<string, { status?: { code: number }; body?: string }>)[kind];
  const { error } = JSON.parse(response?.body || '{}') as { error?: { code: string } };
  return { kind, status: response?.status?.code ?? 200, code: error?.code ?? 'ok' };
}

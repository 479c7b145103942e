import { Client, credentials, Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { CheckRequest, CheckResponse } from '@tollgate/protos/envoy/service/auth/v3/external_auth';
import { envoyPath } from '@tollgate/testing/envoy';
import { envoyDescriptors, envoyMethod } from '@tollgate/testing/envoy-protos';
import { expect, onTestFinished, test } from 'vitest';

test('a peer that speaks the complete messages is understood over gRPC, and understands', async () => {
  const check = envoyMethod(envoyDescriptors(await envoyPath()), '/envoy.service.auth.v3.Authorization/Check');
  const client = clientOf(await serveDenials(check.path));
  const request = { attributes: { request: { http: { path: '/v1', headers: { 'x-api-key': 'k' } } } } };
  const answer = await new Promise((resolve, reject) => {
    client.makeUnaryRequest(check.path, check.requestSerialize, check.responseDeserialize, request, (error, response) =>
      error ? reject(error) : resolve(response),
    );
  });
  expect(answer).toEqual({ status: { code: 7 }, denied_response: { status: { code: 403 }, body: 'k' } });
});

/** Denies every call with the key as the body; resolves with the server's address. */
async function serveDenials(path: string): Promise<string> {
  const server = new Server();
  onTestFinished(() => server.forceShutdown());
  const definition = {
    path,
    requestStream: false,
    responseStream: false,
    requestDeserialize: (bytes: Buffer) => CheckRequest.decode(bytes),
    requestSerialize: (message: CheckRequest) => Buffer.from(CheckRequest.encode(message).finish()),
    responseDeserialize: (bytes: Buffer) => CheckResponse.decode(bytes),
    responseSerialize: (message: CheckResponse) => Buffer.from(CheckResponse.encode(message).finish()),
  };
  const deny = (call: ServerUnaryCall<CheckRequest, CheckResponse>, reply: sendUnaryData<CheckResponse>) => {
    const body = call.request.attributes?.request?.http?.headers['x-api-key'] ?? 'no key';
    const value = { status: { code: 403 }, headers: [], body };
    reply(null, { status: { code: 7, message: '' }, httpResponse: { $case: 'deniedResponse', value } });
  };
  server.addService({ check: definition }, { check: deny });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return `127.0.0.1:${port}`;
}

function clientOf(address: string): Client {
  const client = new Client(address, credentials.createInsecure());
  onTestFinished(() => client.close());
  return client;
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChannelCredentials, status } from '@grpc/grpc-js';
import { type GrpcServer, type GrpcTls, startGrpcServer } from '@tollgate/service-kit/grpc-server';
import { SettingsError } from '@tollgate/service-kit/settings';
import { afterAll, afterEach, expect, test } from 'vitest';
import { capturedLog } from './captured-log.js';
import { type Certificate, makeAuthority } from './certificates.js';
import { testClient } from './grpc-client.js';

const folder = mkdtempSync(join(tmpdir(), 'tollgate-tls-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const authority = makeAuthority('tollgate test CA');
const stranger = makeAuthority('another CA');

function write(name: string, pem: string): string {
  const path = join(folder, name);
  writeFileSync(path, pem);
  return path;
}

const own = authority.issue(['DNS:localhost']);
const TLS: GrpcTls = {
  certFile: write('cert.pem', own.certPem),
  keyFile: write('key.pem', own.keyPem),
  caFile: write('ca.pem', authority.certPem),
};

const servers: GrpcServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close(0);
});

let answered = 0;

function start(tls: GrpcTls): Promise<GrpcServer> {
  const answer = () => {
    answered++;
    return Buffer.from('served');
  };
  const methods = [{ kind: 'unary' as const, path: '/test.Echo/Echo', answer }];
  const listen = { kind: 'tcp' as const, host: '0.0.0.0', port: 0 };
  return startGrpcServer({ listen, methods, log: capturedLog().log, allowPlaintext: false, tls });
}

/** Calls as the owner of this certificate, or without one; 'served', or the code that it ended with. */
async function callAs(server: GrpcServer, identity: Certificate | undefined, path = '/test.Echo/Echo'): Promise<string | number> {
  const ca = Buffer.from(authority.certPem);
  const credentials =
    identity === undefined
      ? ChannelCredentials.createSsl(ca)
      : ChannelCredentials.createSsl(ca, Buffer.from(identity.keyPem), Buffer.from(identity.certPem));
  const client = testClient(server.address.replace('0.0.0.0', 'localhost'), credentials);
  try {
    return (await client.unary(path, '')).toString();
  } catch (error) {
    return (error as { code: number }).code;
  } finally {
    client.close();
  }
}

async function serve(allowedSans?: string[]): Promise<GrpcServer> {
  const server = await start({ ...TLS, ...(allowedSans && { allowedSans }) });
  servers.push(server);
  return server;
}

test('a client of our CA is served; one without a certificate, of another CA, signed by itself, or expired is not', async () => {
  const server = await serve();
  expect(await callAs(server, authority.issue(['DNS:envoy.internal']))).toBe('served');
  expect(await callAs(server, undefined)).toBe(status.UNAVAILABLE);
  expect(await callAs(server, stranger.issue(['DNS:envoy.internal']))).toBe(status.UNAVAILABLE);
  expect(await callAs(server, makeAuthority('tollgate test CA'))).toBe(status.UNAVAILABLE);
  expect(await callAs(server, authority.issue(['DNS:envoy.internal'], 0.5))).toBe(status.UNAVAILABLE);
});

test('where SANs are named, only their owners are served, health included', async () => {
  const server = await serve(['envoy.internal', 'spiffe://tollgate/envoy']);
  answered = 0;
  expect(await callAs(server, authority.issue(['DNS:other', 'DNS:envoy.internal']))).toBe('served');
  expect(await callAs(server, authority.issue(['URI:spiffe://tollgate/envoy']))).toBe('served');
  for (const sans of [['DNS:other'], ['DNS:xenvoy.internal'], ['URI:spiffe://tollgate/envoy2'], []]) {
    const identity = authority.issue(sans);
    expect(await callAs(server, identity)).toBe(status.PERMISSION_DENIED);
    expect(await callAs(server, identity, '/grpc.health.v1.Health/Check')).toBe(status.PERMISSION_DENIED);
  }
  expect(answered).toBe(2);
});

test('one name that looks like several is none of ours', async () => {
  const server = await serve(['envoy.internal']);
  expect(await callAs(server, authority.issue(['URI:http://a, DNS:envoy.internal, DNS:b']))).toBe(status.PERMISSION_DENIED);
});

test('who was refused once stays refused on its connection, and who was served is served', async () => {
  const server = await serve(['envoy.internal']);
  const clientOf = ({ certPem, keyPem }: Certificate) => {
    const pems = [authority.certPem, keyPem, certPem].map((pem) => Buffer.from(pem)) as [Buffer, Buffer, Buffer];
    return testClient(server.address.replace('0.0.0.0', 'localhost'), ChannelCredentials.createSsl(...pems));
  };
  const [good, bad] = [clientOf(authority.issue(['DNS:envoy.internal'])), clientOf(authority.issue(['DNS:other']))];
  for (let i = 0; i < 3; i++) {
    expect((await good.unary('/test.Echo/Echo', '')).toString()).toBe('served');
    await expect(bad.unary('/test.Echo/Echo', '')).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  }
  good.close();
  bad.close();
});

test('TLS files that do not serve are bad settings, told together', async () => {
  const missing = { ...TLS, certFile: join(folder, 'none'), caFile: write('no-ca.pem', 'nothing') };
  await expect(start(missing)).rejects.toThrow(/TLS_CERT_FILE.*ENOENT[\s\S]*TLS_CA_FILE.*no PEM/);
  const mismatched = { ...TLS, keyFile: write('other-key.pem', authority.issue([]).keyPem) };
  await expect(start(mismatched)).rejects.toBeInstanceOf(SettingsError);
});

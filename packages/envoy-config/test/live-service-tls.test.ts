import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { CheckRequest, CheckResponse } from '@tollgate/protos/envoy/service/auth/v3/external_auth';
import { type GrpcServer, startGrpcServer } from '@tollgate/service-kit/grpc-server';
import { createLogger } from '@tollgate/service-kit/log';
import { until } from '@tollgate/testing/until';
import { afterEach, expect, test } from 'vitest';
import { type Authority, type Certificate, makeAuthority } from '../../service-kit/test/certificates.js';
import type { TcpAddress } from '../src/options.js';
import { renderSecrets } from '../src/secrets.js';
import { allowGoodKey, GOOD_KEY, startFakeUpstream } from './fake-services.js';
import { type Gateway, startGateway } from './live-gateway.js';
import { servicesAreHealthy } from './live-world.js';

const authority = makeAuthority('the CA of the services');
const nextAuthority = makeAuthority('the CA that comes after');
const stranger = makeAuthority('the CA of somebody else');
const bothCas = authority.certPem + nextAuthority.certPem;
const SERVICE = ['DNS:authz.tollgate.internal'];
const ENVOY = ['URI:spiffe://tollgate/envoy'];

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

interface Side {
  certFile: string;
  keyFile: string;
  caFile: string;
  /** Each file is renamed into place, one after the other. */
  write(identity: Certificate, caPem: string): void;
}

function side(identity: Certificate, caPem: string): Side & { folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-mtls-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key'), caFile: join(folder, 'ca.crt') };
  const write: Side['write'] = ({ certPem, keyPem }, ca) => {
    for (const [path, pem] of [
      [files.keyFile, keyPem],
      [files.certFile, certPem],
      [files.caFile, ca],
    ] as const) {
      writeFileSync(`${path}.new`, pem);
      renameSync(`${path}.new`, path);
    }
  };
  write(identity, caPem);
  return { ...files, write, folder };
}

interface Secured {
  gateway: Gateway;
  server: GrpcServer;
  envoySide: Side;
  serverSide: Side;
  checks(): number;
  ask(): Promise<number>;
}

/** Envoy and one authz over mutual TLS; ratelimit and usage are away, which stops nothing. */
async function start(envoy: Certificate, service: Certificate, maxConnectionAgeMs = 600_000): Promise<Secured> {
  const [envoySide, serverSide] = [side(envoy, bothCas), side(service, bothCas)];
  let checks = 0;
  const server = await startGrpcServer({
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    methods: [{ kind: 'unary', path: '/envoy.service.auth.v3.Authorization/Check', answer }],
    log: createLogger({ service: 'test', level: 'silent' }),
    allowPlaintext: false,
    tls: { ...serverSide, allowedSans: ['spiffe://tollgate/envoy'] },
    tlsLookMs: 20,
    maxConnectionAgeMs,
  });
  cleanups.push(() => server.close(0));
  function answer(message: Buffer): Uint8Array {
    checks++;
    return CheckResponse.encode(allowGoodKey(CheckRequest.decode(message))).finish();
  }
  const upstream = await startFakeUpstream({});
  cleanups.push(() => upstream.close());
  const options = {
    authz: [addressOf(server)],
    ratelimit: [NOBODY],
    usage: [NOBODY],
    upstreamUrl: upstream.url,
    secretsFolder: envoySide.folder,
    serviceTls: { ...envoySide, serverSan: 'authz.tollgate.internal' },
  };
  for (const { path, text } of renderSecrets(options)) writeFileSync(path, text);
  const gateway = await startGateway(options);
  cleanups.push(() => gateway.close());
  const ask = async () => (await gateway.ask('/', { headers: { 'x-api-key': GOOD_KEY } })).status;
  return { gateway, server, envoySide, serverSide, checks: () => checks, ask };
}

const NOBODY: TcpAddress = { host: '127.0.0.1', port: 1 };

function addressOf({ address }: GrpcServer): TcpAddress {
  const [host, port] = address.split(':') as [string, string];
  return { host, port: Number(port) };
}

async function stat({ adminUrl }: Gateway, name: string): Promise<number> {
  const stats = await (await fetch(`${adminUrl}/stats?filter=^${name}$`)).text();
  return Number(stats.split(': ')[1] ?? 0);
}

test('both sides show a certificate with the name that the other expects, and calls are served', async () => {
  const { gateway, ask, checks } = await start(authority.issue(ENVOY), authority.issue(SERVICE));
  await servicesAreHealthy(gateway, ['authz']);
  expect(await ask()).toBe(200);
  expect(checks()).toBe(1);
});

test.each<[string, () => Certificate, () => Certificate]>([
  ['a service of another name', () => authority.issue(ENVOY), () => authority.issue(['DNS:ratelimit.tollgate.internal'])],
  ['a service of another CA', () => authority.issue(ENVOY), () => stranger.issue(SERVICE)],
  ['a service whose certificate has expired', () => authority.issue(ENVOY), () => authority.issue(SERVICE, 0.5)],
  ['a service that signed for itself', () => authority.issue(ENVOY), () => makeAuthority('authz.tollgate.internal')],
  ['an Envoy of another name', () => authority.issue(['URI:spiffe://tollgate/other']), () => authority.issue(SERVICE)],
  ['an Envoy without a name', () => authority.issue([]), () => authority.issue(SERVICE)],
  ['an Envoy of another CA', () => stranger.issue(ENVOY), () => authority.issue(SERVICE)],
  ['an Envoy whose certificate has expired', () => authority.issue(ENVOY, 0.5), () => authority.issue(SERVICE)],
])('%s gets no call through', async (_, envoy, service) => {
  const { gateway, ask, checks } = await start(envoy(), service());
  await until(async () => (await stat(gateway, 'cluster.authz.health_check.failure')) > 0);
  expect(await ask()).toBe(503);
  expect(checks()).toBe(0);
});

test('certificates, keys and CAs of both sides change under load without a failed request', async () => {
  // Connections end all the time, so that handshakes happen before, during and after each change.
  const world = await start(authority.issue(ENVOY), authority.issue(SERVICE), 100);
  const { gateway, server, envoySide, serverSide, ask } = world;
  await servicesAreHealthy(gateway, ['authz']);
  const statuses = new Map<number, number>();
  let isStopped = false;
  const callers = [1, 2, 3, 4].map(async () => {
    while (!isStopped) {
      const status = await ask();
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  });
  const handshakes = () => stat(gateway, 'cluster.authz.ssl.handshake');
  const updates = () => stat(gateway, 'cluster.authz.client_ssl_socket_factory.ssl_context_update_by_sds');
  const change = async (issuer: Authority, caPem: string) => {
    const service = issuer.issue(SERVICE);
    const updatesBefore = await updates();
    serverSide.write(service, caPem);
    envoySide.write(issuer.issue(ENVOY), caPem);
    await until(async () => (await updates()) > updatesBefore && (await servedSerial(server)) === serialOf(service));
    const handshakesBefore = await handshakes();
    await until(async () => (await handshakes()) > handshakesBefore + 5);
  };
  await change(authority, bothCas);
  await change(nextAuthority, bothCas);
  // The old CA goes last: from here on an Envoy that had not taken up its new certificate would be refused.
  await change(nextAuthority, nextAuthority.certPem);
  isStopped = true;
  await Promise.all(callers);
  expect([...statuses.keys()]).toEqual([200]);
});

test('a pair of which one half is written only changes nothing for Envoy', async () => {
  const { gateway, envoySide, ask } = await start(authority.issue(ENVOY), authority.issue(SERVICE), 100);
  await servicesAreHealthy(gateway, ['authz']);
  envoySide.write({ certPem: authority.issue(ENVOY).certPem, keyPem: authority.issue(ENVOY).keyPem }, bothCas);
  await until(async () => (await stat(gateway, 'sds.service-certificate.key_rotation_failed')) > 0);
  const handshakes = () => stat(gateway, 'cluster.authz.ssl.handshake');
  const before = await handshakes();
  await until(async () => {
    expect(await ask()).toBe(200);
    return (await handshakes()) > before + 2;
  });
});

const serialOf = ({ certPem }: Certificate): string => new X509Certificate(certPem).serialNumber;

/** Of the certificate that a new connection is shown. */
async function servedSerial(server: GrpcServer): Promise<string> {
  const socket = connect({ ...addressOf(server), rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

import { X509Certificate } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { ChannelCredentials } from '@grpc/grpc-js';
import { type GrpcServer, startGrpcServer } from '@tollgate/service-kit/grpc-server';
import { createMetrics, type Metrics } from '@tollgate/service-kit/metrics';
import { afterEach, expect, test, vi } from 'vitest';
import { capturedLog } from './captured-log.js';
import { type Authority, type Certificate, makeAuthority } from './certificates.js';
import { type TestClient, testClient } from './grpc-client.js';

const oldAuthority = makeAuthority('the CA of last year');
const newAuthority = makeAuthority('the CA of this year');
const bothCas = oldAuthority.certPem + newAuthority.certPem;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

interface Rotating {
  server: GrpcServer;
  metrics: Metrics;
  logged(): string;
  /** Replaces all three files by renaming, one after the other. */
  rotate(identity: Certificate, caPem: string): void;
  client(identity: Certificate, caPem?: string): TestClient;
}

async function serve(identity: Certificate, caPem: string): Promise<Rotating> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-tls-reload-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const tls = { certFile: join(folder, 'cert'), keyFile: join(folder, 'key'), caFile: join(folder, 'ca') };
  const rotate: Rotating['rotate'] = ({ certPem, keyPem }, ca) => {
    for (const [file, pem] of [[tls.keyFile, keyPem] as const, [tls.certFile, certPem] as const, [tls.caFile, ca] as const]) {
      writeFileSync(`${file}.new`, pem);
      renameSync(`${file}.new`, file);
    }
  };
  rotate(identity, caPem);
  const captured = capturedLog();
  const metrics = createMetrics('test');
  const server = await startGrpcServer({
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    methods: [{ kind: 'unary', path: '/test.Echo/Echo', answer: (message) => message }],
    log: captured.log,
    allowPlaintext: false,
    tls: { ...tls, allowedSans: ['envoy.internal'] },
    metrics,
    tlsLookMs: 10,
  });
  cleanups.push(() => server.close(0));
  const client: Rotating['client'] = (own, ca = bothCas) => {
    const credentials = ChannelCredentials.createSsl(Buffer.from(ca), Buffer.from(own.keyPem), Buffer.from(own.certPem));
    const made = testClient(server.address, credentials, { 'grpc.ssl_target_name_override': 'localhost' });
    cleanups.push(() => made.close());
    return made;
  };
  return { server, metrics, logged: captured.text, rotate, client };
}

const serverOf = (authority: Authority): Certificate => authority.issue(['DNS:localhost']);
const envoyOf = (authority: Authority): Certificate => authority.issue(['DNS:envoy.internal']);

async function handshake(server: GrpcServer, own: Certificate, session?: Buffer): Promise<TLSSocket> {
  const [host, port] = server.address.split(':');
  const identity = { cert: own.certPem, key: own.keyPem, ca: bothCas, servername: 'localhost', ALPNProtocols: ['h2'] };
  const socket = connect({ host, port: Number(port), ...identity, ...(session && { session }) });
  cleanups.push(() => socket.destroy());
  return new Promise((resolve, reject) => {
    // In TLS 1.3 a refused certificate shows after the handshake: the server's first bytes say that it took ours.
    socket.once('data', () => resolve(socket)).once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
}

const servedSerial = async (server: GrpcServer, own: Certificate): Promise<string> =>
  (await handshake(server, own)).getPeerCertificate().serialNumber;
const serialOf = ({ certPem }: Certificate): string => new X509Certificate(certPem).serialNumber;

/** Calls without a pause until it is stopped, then tells how many ended how. */
function callContinuously(call: () => Promise<unknown>): () => Promise<{ served: number; failed: unknown[] }> {
  const outcome = { served: 0, failed: [] as unknown[] };
  let isStopped = false;
  const running = (async () => {
    while (!isStopped) {
      await call().then(
        () => outcome.served++,
        (error: unknown) => outcome.failed.push(error),
      );
    }
    return outcome;
  })();
  return () => {
    isStopped = true;
    return running;
  };
}

test('certificate, key and CA change under load without a failed call, and new connections see the new ones', async () => {
  const identities = [serverOf(oldAuthority), serverOf(newAuthority), serverOf(newAuthority), serverOf(newAuthority)];
  const [first, ...later] = identities as [Certificate, ...Certificate[]];
  const rotating = await serve(first, bothCas);
  const [oldEnvoy, newEnvoy] = [envoyOf(oldAuthority), envoyOf(newAuthority)];
  const kept = rotating.client(oldEnvoy);
  const stopKept = callContinuously(() => kept.unary('/test.Echo/Echo', 'x'));
  const stopNew = callContinuously(async () => {
    const client = rotating.client(newEnvoy);
    await client.unary('/test.Echo/Echo', 'x');
    client.close();
  });
  for (const identity of later) {
    rotating.rotate(identity, bothCas);
    await vi.waitFor(async () => expect(await servedSerial(rotating.server, newEnvoy)).toBe(serialOf(identity)), 10_000);
  }
  const outcomes = await Promise.all([stopKept(), stopNew()]);
  expect(outcomes.map(({ failed }) => failed)).toEqual([[], []]);
  expect(Math.min(...outcomes.map(({ served }) => served))).toBeGreaterThan(later.length);
  expect(await rotating.metrics.text()).toContain('tollgate_tls_reloads_total{outcome="loaded",service="test"} 3');
});

test('a CA that is removed is refused afterwards, also where a session of before is resumed', async () => {
  const rotating = await serve(serverOf(newAuthority), bothCas);
  const [oldEnvoy, newEnvoy] = [envoyOf(oldAuthority), envoyOf(newAuthority)];
  let session: Buffer | undefined;
  const before = await handshake(rotating.server, oldEnvoy);
  before.on('session', (ticket: Buffer) => {
    session = ticket;
  });
  session ??= before.getSession();
  expect((await handshake(rotating.server, oldEnvoy, session)).isSessionReused()).toBe(true);
  const next = serverOf(newAuthority);
  rotating.rotate(next, newAuthority.certPem);
  await vi.waitFor(async () => expect(await servedSerial(rotating.server, newEnvoy)).toBe(serialOf(next)), 10_000);
  await expect(handshake(rotating.server, oldEnvoy, session)).rejects.toThrow();
  await expect(rotating.client(oldEnvoy).unary('/test.Echo/Echo', 'x')).rejects.toThrow();
  expect((await rotating.client(newEnvoy).unary('/test.Echo/Echo', 'x')).toString()).toBe('x');
});

test('files that do not serve are logged and counted, and the last good ones serve on', async () => {
  const first = serverOf(newAuthority);
  const rotating = await serve(first, bothCas);
  rotating.rotate({ certPem: serverOf(newAuthority).certPem, keyPem: first.keyPem }, bothCas);
  const kept = 'tollgate_tls_reloads_total{outcome="kept",service="test"} 1';
  await vi.waitFor(async () => expect(await rotating.metrics.text()).toContain(kept), 10_000);
  expect(rotating.logged()).toContain('the last good ones stay in use');
  expect(rotating.logged()).not.toContain('PRIVATE KEY');
  expect(await servedSerial(rotating.server, envoyOf(newAuthority))).toBe(serialOf(first));
});

test('the end of the certificate is told, so that a renewal that does not come can be alerted on', async () => {
  const first = serverOf(newAuthority);
  const { metrics } = await serve(first, bothCas);
  const [, told] = /certificate_expiry_timestamp_seconds\{service="test"\} (\S+)/.exec(await metrics.text()) ?? [];
  expect(Number(told) * 1000).toBe(Date.parse(new X509Certificate(first.certPem).validTo));
});

test('the names allowed stay in force on connections that are made after a change', async () => {
  const rotating = await serve(serverOf(oldAuthority), bothCas);
  const next = serverOf(newAuthority);
  rotating.rotate(next, bothCas);
  await vi.waitFor(async () => expect(await servedSerial(rotating.server, envoyOf(newAuthority))).toBe(serialOf(next)), 10_000);
  await expect(rotating.client(newAuthority.issue(['DNS:other'])).unary('/test.Echo/Echo', 'x')).rejects.toThrow(
    /PERMISSION_DENIED/,
  );
});

test('TLS before 1.2 is refused, also after a change of the files', async () => {
  const rotating = await serve(serverOf(oldAuthority), bothCas);
  const own = envoyOf(newAuthority);
  const outdated = (): Promise<unknown> => {
    const [host, port] = rotating.server.address.split(':');
    const versions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const socket = connect({
      host,
      port: Number(port),
      cert: own.certPem,
      key: own.keyPem,
      rejectUnauthorized: false,
      ...versions,
    });
    return new Promise((resolve, reject) => {
      socket.once('secureConnect', resolve).once('error', reject);
    });
  };
  await expect(outdated()).rejects.toThrow(/version/);
  const next = serverOf(newAuthority);
  rotating.rotate(next, bothCas);
  await vi.waitFor(async () => expect(await servedSerial(rotating.server, own)).toBe(serialOf(next)), 10_000);
  await expect(outdated()).rejects.toThrow(/version/);
});

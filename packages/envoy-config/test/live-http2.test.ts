import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { until } from '@tollgate/testing/until';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { renderSecrets } from '../src/secrets.js';
import { type FakeServices, type FakeUpstream, startFakeServices, startFakeUpstream } from './fake-services.js';
import { type Gateway, startGateway } from './live-gateway.js';
import { servicesAreHealthy, WITH_KEY } from './live-world.js';
import { makeCertificate, type TestCertificate } from './test-certificate.js';

let services: FakeServices;
let upstream: FakeUpstream;
let gateway: Gateway;
let folder: string;
let tls: { certFile: string; keyFile: string };
const certificates: TestCertificate[] = [];

beforeAll(async () => {
  services = await startFakeServices();
  upstream = await startFakeUpstream({});
  certificates.push(...(await Promise.all(['localhost', 'localhost'].map(makeCertificate))));
  folder = mkdtempSync(join(tmpdir(), 'tollgate-gateway-tls-'));
  tls = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
  install(0);
  const options = {
    authz: [services.authz],
    ratelimit: [services.ratelimit],
    usage: [services.usage],
    upstreamUrl: upstream.url,
    maxRequestBytes: 1000,
    secretsFolder: folder,
    tls,
  };
  for (const { path, text: content } of renderSecrets(options)) writeFileSync(path, content);
  gateway = await startGateway(options);
  await servicesAreHealthy(gateway, ['authz', 'ratelimit', 'usage']);
});

afterAll(async () => {
  await gateway.close();
  await Promise.all([services.close(), upstream.close(), ...certificates.map(({ remove }) => remove())]);
  rmSync(folder, { recursive: true, force: true });
});

/** As a renewal does: each file is renamed into place. */
function install(index: number): void {
  const { certFile, keyFile } = certificates[index] as TestCertificate;
  for (const [from, to] of [[keyFile, tls.keyFile] as const, [certFile, tls.certFile] as const]) {
    copyFileSync(from, `${to}.new`);
    renameSync(`${to}.new`, to);
  }
}

const trusted = (): Buffer[] => certificates.map(({ cert }) => cert);

async function inHttp2<Result>(use: (session: ClientHttp2Session) => Promise<Result>): Promise<Result> {
  const session = connect(`https://localhost:${gateway.port}`, { ca: trusted() });
  try {
    await once(session, 'remoteSettings');
    return await use(session);
  } finally {
    session.destroy();
  }
}

async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string) {
  const stream = session.request({ ':path': '/', ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }];
  return { status: answer[':status'], headers: answer, body: await text(stream) };
}

test('a caller by TLS gets HTTP/2, and what it says about itself is overwritten there too', async () => {
  const answer = await inHttp2((session) => {
    expect(session.alpnProtocol).toBe('h2');
    const lies = {
      'x-organization-id': 'evil',
      'x-plan-tier': ['evil', 'worse'],
      'x-tollgate-anything': 'evil',
      'x-request-id': 'mine',
    };
    return ask(session, { ':path': '/h2', ...WITH_KEY, ...lies });
  });
  expect(answer.status).toBe(200);
  const received = upstream.requests.find(({ path }) => path === '/h2')?.headers ?? {};
  expect(received).toMatchObject({ 'x-organization-id': 'org-1', 'x-plan-tier': 'basic', 'x-client-request-id': 'mine' });
  expect(JSON.stringify(received)).not.toMatch(/evil|worse/);
  expect(received).not.toHaveProperty('x-api-key');
  expect(answer.headers['x-request-id']).toBe(received['x-request-id']);
});

test('one connection carries at most 100 requests at once', async () => {
  expect(await inHttp2(async (session) => session.remoteSettings.maxConcurrentStreams)).toBe(100);
});

test('refusals have our shape in HTTP/2 as well', async () => {
  const codeOf = ({ status, body }: { status: number; body: string }) => [status, JSON.parse(body).error.code];
  await inHttp2(async (session) => {
    expect(codeOf(await ask(session, {}))).toEqual([401, 'missing_api_key']);
    const long = { ...WITH_KEY, ':method': 'POST', 'content-length': '1001' };
    expect(codeOf(await ask(session, long, 'x'.repeat(1001)))).toEqual([413, 'payload_too_large']);
  });
});

test('a header with an underscore ends its stream, and nothing of it reaches the upstream', async () => {
  await inHttp2(async (session) => {
    await expect(ask(session, { ':path': '/underscore', ...WITH_KEY, x_api_key: 'x' })).rejects.toThrow('Stream closed');
    expect((await ask(session, WITH_KEY)).status).toBe(200);
  });
  expect(upstream.requests.map(({ path }) => path)).not.toContain('/underscore');
});

test('TLS before 1.2 is refused', async () => {
  const versions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  const socket = connectTls({ host: 'localhost', port: gateway.port, rejectUnauthorized: false, ...versions });
  await expect(once(socket, 'secureConnect')).rejects.toThrow();
});

test("the gateway's certificate is renewed under load without a failed request", async () => {
  const statuses: (number | undefined)[] = [];
  let isStopped = false;
  const caller = async () => {
    while (!isStopped) statuses.push(await askOverNewConnection());
  };
  const callers = [caller(), caller()];
  install(1);
  const serial = new X509Certificate(certificates[1]?.cert ?? '').serialNumber;
  await until(async () => (await servedSerial()) === serial);
  const before = statuses.length;
  await until(() => statuses.length > before + 20);
  isStopped = true;
  await Promise.all(callers);
  expect(new Set(statuses)).toEqual(new Set([200]));
});

async function askOverNewConnection(): Promise<number | undefined> {
  const sent = request({ host: 'localhost', port: gateway.port, ca: trusted(), headers: WITH_KEY, agent: false });
  sent.end();
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  await text(response);
  return response.statusCode;
}

async function servedSerial(): Promise<string> {
  const socket: TLSSocket = connectTls({ host: 'localhost', servername: 'localhost', port: gateway.port, ca: trusted() });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

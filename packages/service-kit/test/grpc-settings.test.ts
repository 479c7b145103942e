import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChannelCredentials } from '@grpc/grpc-js';
import { startGrpcServer } from '@tollgate/service-kit/grpc-server';
import { GRPC_SETTINGS, type GrpcSettings, grpcServing, readGrpcSettings } from '@tollgate/service-kit/grpc-settings';
import { field, listenAddress, SettingsError, secretField, text } from '@tollgate/service-kit/settings';
import { expect, onTestFinished, test } from 'vitest';
import { capturedLog } from './captured-log.js';
import { type Certificate, makeAuthority } from './certificates.js';
import { testClient } from './grpc-client.js';

const SHAPE = {
  listen: field('SOME_LISTEN', listenAddress(), { default: '127.0.0.1:0' }),
  password: secretField('SOME_PASSWORD', text()),
  ...GRPC_SETTINGS,
};
const read = (env: Record<string, string>) => readGrpcSettings(SHAPE, { SOME_PASSWORD: 'secret', ...env });
const problemsOf = (env: Record<string, string>): readonly string[] => {
  try {
    readGrpcSettings(SHAPE, env);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
};

/** Files of these certificates, and the settings that name them. */
function tlsFiles(server: Certificate, ca: Certificate): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string, pem: string): string => {
    const path = join(folder, name);
    writeFileSync(path, pem);
    return path;
  };
  return {
    TLS_CERT_FILE: file('cert.pem', server.certPem),
    TLS_KEY_FILE: file('key.pem', server.keyPem),
    TLS_CA_FILE: file('ca.pem', ca.certPem),
  };
}

test('without a word about it, a service serves plaintext on loopback only and closes at once', () => {
  expect(grpcServing(read({}))).toEqual({ allowPlaintext: false, drainMs: 0 });
  expect(grpcServing(read({ SOME_LISTEN: '0.0.0.0:0', ALLOW_PLAINTEXT: 'true', DRAIN_TIME: '2500ms' }))).toEqual({
    allowPlaintext: true,
    drainMs: 2500,
  });
});

test('plaintext beyond loopback is told together with every other mistake', () => {
  const [missing, plaintext, ...more] = problemsOf({ SOME_LISTEN: '0.0.0.0:0' });
  expect(missing).toMatch(/^SOME_PASSWORD is required/);
  expect(plaintext).toMatch(/^0\.0\.0\.0:0 would serve gRPC in plaintext/);
  expect(more).toEqual([]);
});

test.each([
  [{ TLS_CERT_FILE: 'c' }, 'TLS_KEY_FILE and TLS_CA_FILE'],
  [{ TLS_KEY_FILE: 'k', TLS_CA_FILE: 'a' }, 'TLS_CERT_FILE'],
  [{ TLS_ALLOWED_SANS: 'envoy' }, 'TLS_CERT_FILE and TLS_KEY_FILE and TLS_CA_FILE'],
])('TLS that is set in part (%j) names what is missing: %s', (env, names) => {
  expect(problemsOf({ SOME_PASSWORD: 'secret', ...env })).toEqual([
    `TLS is set in part: set ${names} too, or no TLS_ setting at all.`,
  ]);
  const settings: GrpcSettings = { allowPlaintext: true, drainMs: 0, ...NO_TLS, tlsCertFile: 'c' };
  expect(() => grpcServing(settings)).toThrow(SettingsError);
});
const NO_TLS = { tlsCertFile: undefined, tlsKeyFile: undefined, tlsCaFile: undefined, tlsAllowedSans: undefined };

test('files of TLS that cannot be read are told with every other mistake', () => {
  const env = { TLS_CERT_FILE: '/nowhere/c', TLS_KEY_FILE: '/nowhere/k', TLS_CA_FILE: '/nowhere/a' };
  expect(problemsOf(env)).toEqual([
    expect.stringMatching(/^SOME_PASSWORD is required/),
    expect.stringMatching(/^TLS_CERT_FILE: .* cannot be read \(ENOENT\)/),
    expect.stringMatching(/^TLS_KEY_FILE/),
    expect.stringMatching(/^TLS_CA_FILE/),
  ]);
});

test('what could not be read is told once', () => {
  expect(problemsOf({ SOME_PASSWORD: 'secret', SOME_LISTEN: 'nowhere', ALLOW_PLAINTEXT: 'yes' })).toHaveLength(2);
});

test('with TLS, only who is named in TLS_ALLOWED_SANS is served, beyond loopback too', async () => {
  const authority = makeAuthority('test');
  const server = authority.issue(['DNS:localhost', 'DNS:authz']);
  const env = { ...tlsFiles(server, authority), TLS_ALLOWED_SANS: 'envoy, other', SOME_LISTEN: '0.0.0.0:0' };
  const settings = read(env);
  const { log } = capturedLog();
  const echo = { kind: 'unary', path: '/test.Echo/Say', answer: (message: Buffer) => message } as const;
  const running = await startGrpcServer({ listen: settings.listen, methods: [echo], log, ...grpcServing(settings) });
  onTestFinished(() => running.close(0));

  const port = running.address.split(':').at(-1) ?? '';
  const say = async (credentials: ChannelCredentials) => {
    const client = testClient(`localhost:${port}`, credentials);
    onTestFinished(() => client.close());
    return (await client.unary(echo.path, 'hello')).toString();
  };
  const as = ({ certPem, keyPem }: Certificate) =>
    ChannelCredentials.createSsl(
      ...([authority.certPem, keyPem, certPem].map((pem) => Buffer.from(pem)) as [Buffer, Buffer, Buffer]),
    );
  expect(await say(as(authority.issue(['DNS:envoy'])))).toBe('hello');
  await expect(say(as(authority.issue(['DNS:stranger'])))).rejects.toThrow(/PERMISSION_DENIED/);
  await expect(say(ChannelCredentials.createInsecure())).rejects.toThrow();
});

/** The settings of every service that serves gRPC: who may connect, and how it leaves. */
import { type GrpcTls, grpcCredentials } from './grpc-credentials.js';
import {
  durationMs,
  type Environment,
  type Field,
  field,
  flag,
  type ListenAddress,
  list,
  problemsOf,
  readSettings,
  SettingsError,
  type SettingsOf,
  type Shape,
  text,
} from './settings.js';

/** Below what `runService` gives to closing, with room for the calls that are in work. */
const MAX_DRAIN_MS = 4_000;

export const GRPC_SETTINGS = {
  allowPlaintext: field('ALLOW_PLAINTEXT', flag(), { default: 'false', describe: 'Serve gRPC without TLS beyond loopback.' }),
  tlsCertFile: field('TLS_CERT_FILE', text(), {
    optional: true,
    describe: 'The certificate of this service (PEM); turns on mTLS.',
  }),
  tlsKeyFile: field('TLS_KEY_FILE', text(), { optional: true, describe: 'The key of that certificate (PEM).' }),
  tlsCaFile: field('TLS_CA_FILE', text(), { optional: true, describe: 'The CA of those who may connect (PEM).' }),
  tlsAllowedSans: field('TLS_ALLOWED_SANS', list(), {
    optional: true,
    describe: 'DNS names or URIs, parted by commas, one of which a caller’s certificate must hold; any of the CA’s if not set.',
  }),
  drainMs: field('DRAIN_TIME', durationMs({ maxMs: MAX_DRAIN_MS }), {
    default: '0s',
    describe: 'How long to serve on as unhealthy before closing, so that Envoy turns to another instance; 2500ms is enough.',
  }),
} satisfies Shape;

export type GrpcSettings = SettingsOf<typeof GRPC_SETTINGS>;

/** What `startGrpcServer` takes of these settings. Throws SettingsError where some files of TLS are named and others are not. */
export function grpcServing(settings: GrpcSettings): { allowPlaintext: boolean; drainMs: number; tls?: GrpcTls } {
  const { allowPlaintext, drainMs, tlsCertFile: certFile, tlsKeyFile: keyFile, tlsCaFile: caFile, tlsAllowedSans } = settings;
  if (certFile !== undefined && keyFile !== undefined && caFile !== undefined) {
    return {
      allowPlaintext,
      drainMs,
      tls: { certFile, keyFile, caFile, ...(tlsAllowedSans && { allowedSans: tlsAllowedSans }) },
    };
  }
  if (certFile === undefined && keyFile === undefined && caFile === undefined && tlsAllowedSans === undefined) {
    return { allowPlaintext, drainMs };
  }
  const missing = [
    ...(certFile === undefined ? ['TLS_CERT_FILE'] : []),
    ...(keyFile === undefined ? ['TLS_KEY_FILE'] : []),
    ...(caFile === undefined ? ['TLS_CA_FILE'] : []),
  ];
  throw new SettingsError([`TLS is set in part: set ${missing.join(' and ')} too, or no TLS_ setting at all.`]);
}

type ServingShape = Shape & typeof GRPC_SETTINGS & { listen: Field<ListenAddress> };

/**
 * As readSettings, for a shape that holds GRPC_SETTINGS and `listen`: the one SettingsError also names TLS files that do
 * not serve, and plaintext that would leave this machine.
 */
export function readGrpcSettings<Fields extends ServingShape>(shape: Fields, env: Environment): SettingsOf<Fields> {
  const problems = [...problemsOf(() => readSettings(shape, env)), ...servingProblems(shape, env)];
  if (problems.length > 0) throw new SettingsError(problems);
  return readSettings(shape, env);
}

/** Only of settings that could be read: those that could not are told already. */
function servingProblems(shape: ServingShape, env: Environment): readonly string[] {
  const fields: ServingShape = { ...GRPC_SETTINGS, listen: shape.listen };
  if (problemsOf(() => readSettings(fields, env)).length > 0) return [];
  const settings = readSettings(fields, env) as GrpcSettings & { listen: ListenAddress };
  return problemsOf(() => grpcCredentials({ listen: settings.listen, ...grpcServing(settings) }));
}

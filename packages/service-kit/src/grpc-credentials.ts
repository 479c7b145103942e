/** Who may connect: TLS with client certificates, or plaintext where nobody else can listen. */
import { ServerCredentials, type ServerUnaryCall } from '@grpc/grpc-js';
import { formatListenAddress, isLocal, type ListenAddress } from './listen-address.js';
import { SettingsError } from './settings.js';
import { readTlsFilesSync, type TlsContent, type TlsFiles, tlsProblems } from './tls-files.js';

/** Mutual TLS. Clients need a certificate of this CA and, where SANs are named, one of these. */
export interface GrpcTls extends TlsFiles {
  /** DNS names or URIs in the client's certificate, compared whole. */
  allowedSans?: readonly string[];
}

interface CredentialOptions {
  listen: ListenAddress;
  allowPlaintext: boolean;
  tls?: GrpcTls;
}

/** Throws SettingsError where the files do not serve, or where plaintext would leave this machine unasked. */
export function grpcCredentials({ listen, allowPlaintext, tls }: CredentialOptions): ServerCredentials {
  if (tls !== undefined) return mutualTls(tls);
  if (allowPlaintext || isLocal(listen)) return ServerCredentials.createInsecure();
  throw new SettingsError([
    `${formatListenAddress(listen)} would serve gRPC in plaintext to other machines: set TLS_CERT_FILE, TLS_KEY_FILE and ` +
      'TLS_CA_FILE, listen on 127.0.0.1 or unix:/path, or set ALLOW_PLAINTEXT=true where the network is private.',
  ]);
}

function mutualTls(files: TlsFiles): MutualTls {
  const read = readTlsFilesSync(files);
  const problems = read.kind === 'content' ? tlsProblems(read.content, files) : read.problems;
  if (read.kind === 'content' && problems.length === 0) return new MutualTls(read.content);
  throw new SettingsError(problems);
}

/**
 * Credentials whose files can change while the server runs. The library's own watcher of files stands aside: where a file is
 * missing for a moment, or key and certificate do not fit, it drops every new connection.
 */
export class MutualTls extends ServerCredentials {
  constructor(readonly startedWith: TlsContent) {
    super({ ...contextOf(startedWith), requestCert: true, rejectUnauthorized: true }, contextOf(startedWith));
  }

  /**
   * For connections from now on; those that are open live on. Sessions cannot be resumed over the change, so that a client
   * whose CA is gone has to show its certificate again.
   */
  replace(content: TlsContent): void {
    this.updateSecureContextOptions(contextOf(content));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

/** Whole at each change: what is left out goes back to Node's default, which a flag of its command line can lower. */
function contextOf({ cert, key, ca }: TlsContent) {
  return { cert, key, ca, minVersion: 'TLSv1.2' as const };
}

export type IsAdmitted = (call: Pick<ServerUnaryCall<never, never>, 'getAuthContext'>) => boolean;

/** The handshake checks the CA alone; whom it made the certificate for is checked here, with each call. */
export function admission(allowedSans: readonly string[] | undefined): IsAdmitted | undefined {
  if (allowedSans === undefined) return undefined;
  const allowed = new Set(allowedSans);
  /** Reading a certificate costs a fifth of a whole call, and a connection keeps its own. */
  const verdicts = new WeakMap<object, boolean>();
  return (call) => {
    const connection = connectionOf(call);
    const known = connection && verdicts.get(connection);
    if (known !== undefined) return known;
    const verdict = hasAllowedName(call.getAuthContext().sslPeerCertificate?.subjectaltname ?? '', allowed);
    if (connection !== undefined) verdicts.set(connection, verdict);
    return verdict;
  };
}

function hasAllowedName(names: string, allowed: ReadonlySet<string>): boolean {
  // Node quotes names that hold commas or quotes. One inside could pass itself off as several: none of those is ours.
  if (names.includes('"')) return false;
  return names.split(', ').some((name) => allowed.has(name.replace(/^(DNS|URI):/, '')));
}

/** The HTTP/2 session of a call, which the library keeps to itself; without it the certificate is read at each call. */
function connectionOf(call: object): object | undefined {
  const { call: inner } = call as { call?: { stream?: { session?: unknown } } };
  const session = inner?.stream?.session;
  return typeof session === 'object' && session !== null ? session : undefined;
}

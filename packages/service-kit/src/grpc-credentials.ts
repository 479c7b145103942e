/** Who may connect: TLS with client certificates, or plaintext where nobody else can listen. */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { ServerCredentials, type ServerUnaryCall } from '@grpc/grpc-js';
import { formatListenAddress, isLocal, type ListenAddress } from './listen-address.js';
import { SettingsError } from './settings.js';

/** Mutual TLS: paths of PEM files. Clients need a certificate of this CA and, where SANs are named, one of these. */
export interface GrpcTls {
  certFile: string;
  keyFile: string;
  caFile: string;
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

function mutualTls(tls: GrpcTls): ServerCredentials {
  const problems: string[] = [];
  const read = (setting: string, path: string): Buffer => {
    try {
      const pem = readFileSync(path);
      if (!pem.includes('-----BEGIN ')) problems.push(`${setting}: ${path} is no PEM file.`);
      return pem;
    } catch (error) {
      problems.push(`${setting}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
      return Buffer.alloc(0);
    }
  };
  const cert = read('TLS_CERT_FILE', tls.certFile);
  const key = read('TLS_KEY_FILE', tls.keyFile);
  const ca = read('TLS_CA_FILE', tls.caFile);
  if (problems.length > 0) throw new SettingsError(problems);
  try {
    createSecureContext({ cert, key, ca });
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unknown error';
    throw new SettingsError([`TLS_CERT_FILE, TLS_KEY_FILE and TLS_CA_FILE do not make a server together: ${why}.`]);
  }
  return ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], true);
}

export type IsAdmitted = (call: Pick<ServerUnaryCall<never, never>, 'getAuthContext'>) => boolean;

/** The handshake checks the CA alone; whom it made the certificate for is checked here, with each call. */
export function admission(allowedSans: readonly string[] | undefined): IsAdmitted | undefined {
  if (allowedSans === undefined) return undefined;
  const allowed = new Set(allowedSans);
  return (call) => {
    const names = call.getAuthContext().sslPeerCertificate?.subjectaltname ?? '';
    // Node quotes names that hold commas or quotes. One inside could pass itself off as several: none of those is ours.
    if (names.includes('"')) return false;
    return names.split(', ').some((name) => allowed.has(name.replace(/^(DNS|URI):/, '')));
  };
}

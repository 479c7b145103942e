/** The PEM files of mutual TLS: read, and judged before anything is served with them. */
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';

/** Paths of PEM files: of this service's certificate and key, and of the CA of those who may connect. */
export interface TlsFiles {
  certFile: string;
  keyFile: string;
  caFile: string;
}

export interface TlsContent {
  cert: Buffer;
  key: Buffer;
  ca: Buffer;
}

/** What stands in the files, or why that cannot be told: sentences that name the setting and the path. */
export type TlsRead = { kind: 'content'; content: TlsContent } | { kind: 'unreadable'; problems: readonly string[] };

const SETTINGS = { cert: 'TLS_CERT_FILE', key: 'TLS_KEY_FILE', ca: 'TLS_CA_FILE' } as const;
type Part = keyof typeof SETTINGS;

export function readTlsFilesSync(files: TlsFiles): TlsRead {
  return together(files, (path) => settled(() => readFileSync(path)));
}

export async function readTlsFiles(files: TlsFiles): Promise<TlsRead> {
  const paths = [files.certFile, files.keyFile, files.caFile];
  const read = await Promise.all(paths.map((path) => readFile(path).catch((error: NodeJS.ErrnoException) => error)));
  return together(files, (path) => read[paths.indexOf(path)] as Buffer | NodeJS.ErrnoException);
}

function settled(read: () => Buffer): Buffer | NodeJS.ErrnoException {
  try {
    return read();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}

function together(files: TlsFiles, read: (path: string) => Buffer | NodeJS.ErrnoException): TlsRead {
  const [cert, key, ca] = [read(files.certFile), read(files.keyFile), read(files.caFile)];
  if (Buffer.isBuffer(cert) && Buffer.isBuffer(key) && Buffer.isBuffer(ca))
    return { kind: 'content', content: { cert, key, ca } };
  const problemsOf = (part: Part, path: string, found: Buffer | NodeJS.ErrnoException): string[] => {
    if (Buffer.isBuffer(found)) return pemProblems(part, found, path);
    return [`${SETTINGS[part]}: ${path} cannot be read (${found.code ?? 'unknown error'}).`];
  };
  const problems = [
    ...problemsOf('cert', files.certFile, cert),
    ...problemsOf('key', files.keyFile, key),
    ...problemsOf('ca', files.caFile, ca),
  ];
  return { kind: 'unreadable', problems };
}

/**
 * Everything that is wrong with the files together, in sentences. Each block is looked at, since TLS itself passes over what
 * it cannot read: of a CA file that is cut off it would take the first half, and refuse whom the other half vouches for.
 */
export function tlsProblems(content: TlsContent, files: TlsFiles): string[] {
  const problems = [
    ...pemProblems('cert', content.cert, files.certFile),
    ...pemProblems('key', content.key, files.keyFile),
    ...pemProblems('ca', content.ca, files.caFile),
  ];
  if (problems.length > 0) return problems;
  try {
    createSecureContext(content);
    return [];
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unknown error';
    return [`TLS_CERT_FILE, TLS_KEY_FILE and TLS_CA_FILE do not make a server together: ${why}.`];
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

function pemProblems(part: Part, pem: Buffer, path: string): string[] {
  const text = pem.toString('latin1');
  const problem = (what: string): string[] => [`${SETTINGS[part]}: ${path} ${what}.`];
  const begun = text.split('-----BEGIN ').length - 1;
  if (begun === 0) return problem('is no PEM file');
  if (begun !== text.split('-----END ').length - 1) return problem('is cut off');
  if (part === 'key') return [];
  const certificates = text.match(CERTIFICATE) ?? [];
  if (certificates.length === 0) return problem('holds no certificate');
  return certificates.every(isCertificate) ? [] : problem('holds a certificate that cannot be read');
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).serialNumber !== '';
  } catch {
    return false;
  }
}

/** From when to when the service's own certificate is valid, in Unix milliseconds. */
export function validityOf({ cert }: TlsContent): { fromMs: number; untilMs: number } {
  const { validFrom, validTo } = new X509Certificate(cert);
  return { fromMs: Date.parse(validFrom), untilMs: Date.parse(validTo) };
}

/** The same for the same content, and a secret of nobody. */
export function tlsFingerprint({ cert, key, ca }: TlsContent): string {
  const hash = createHash('sha256');
  for (const part of [cert, key, ca]) hash.update(createHash('sha256').update(part).digest());
  return hash.digest('hex');
}

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface TestCertificate {
  certFile: string;
  keyFile: string;
  cert: Buffer;
  key: Buffer;
  remove(): Promise<void>;
}

/** A new self-signed certificate for one name, which is its own authority. */
export async function makeCertificate(dnsName: string): Promise<TestCertificate> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-cert-'));
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const what = ['-subj', `/CN=${dnsName}`, '-addext', `subjectAltName=DNS:${dnsName}`, '-days', '1', '-nodes'];
  const how = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-keyout', keyFile, '-out', certFile];
  await promisify(execFile)('openssl', ['req', '-x509', ...what, ...how]);
  const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
  return { certFile, keyFile, cert, key, remove: () => rm(folder, { recursive: true, force: true }) };
}

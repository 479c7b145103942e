/** Files in PEM: the certificate of a server, its key, and the CA of those who may connect. */
export interface RedisTls {
  certFile: string;
  keyFile: string;
  caFile: string;
}

/** What redis-server is told to serve TLS on a port of its own. Clients must show a certificate, as is its default. */
export function tlsArguments({ certFile, keyFile, caFile }: RedisTls, port: number): string[] {
  const files = ['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', caFile];
  return ['--tls-port', String(port), ...files, '--tls-auth-clients', 'yes'];
}

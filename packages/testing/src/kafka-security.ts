import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export type ServerSettings = Record<string, string | number | boolean>;

/**
 * What a broker asks of clients: TLS with its certificate (PEM, for localhost), and a name with its password, by PLAIN or SCRAM.
 * At a second address it asks for a certificate of `clientCaPem` instead, by default for one that nobody has.
 */
export interface KafkaSecurity {
  certPem: string;
  keyPem: string;
  username: string;
  password: string;
  clientCaPem?: string;
}

const PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule';
const SCRAM = 'org.apache.kafka.common.security.scram.ScramLoginModule';
const SCRAM_MECHANISMS = ['SCRAM-SHA-256', 'SCRAM-SHA-512'];

/** The broker itself goes on talking in plaintext, on a port of its own. */
export async function securitySettings(
  security: KafkaSecurity,
  folder: string,
  ports: { passwords: number; certificates: number; inner: number; controller: number },
): Promise<ServerSettings> {
  const [keyStore, trustStore] = [join(folder, 'server.pem'), join(folder, 'clients.pem')];
  await writeFile(keyStore, `${security.keyPem}${security.certPem}`, { mode: 0o600 });
  await writeFile(trustStore, security.clientCaPem ?? security.certPem);
  const clients = `CLIENTS://localhost:${ports.passwords},CERTIFICATES://localhost:${ports.certificates}`;
  const listeners = `${clients},INNER://127.0.0.1:${ports.inner}`;
  return {
    listeners: `${listeners},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': listeners,
    'listener.security.protocol.map': 'CLIENTS:SASL_SSL,CERTIFICATES:SSL,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'INNER',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keyStore,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': trustStore,
    'listener.name.certificates.ssl.client.auth': 'required',
    'sasl.enabled.mechanisms': ['PLAIN', ...SCRAM_MECHANISMS].join(','),
    'listener.name.clients.plain.sasl.jaas.config': `${PLAIN} required user_${security.username}="${security.password}";`,
    ...Object.fromEntries(
      SCRAM_MECHANISMS.map((name) => [`listener.name.clients.${name.toLowerCase()}.sasl.jaas.config`, `${SCRAM} required;`]),
    ),
  };
}

/** For the tool that formats the storage: who may log in by SCRAM. */
export function scramUsers({ username, password }: KafkaSecurity): string[] {
  return SCRAM_MECHANISMS.flatMap((name) => ['--add-scram', `${name}=[name=${username},password=${password}]`]);
}

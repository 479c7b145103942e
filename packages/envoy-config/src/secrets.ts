import { join } from 'node:path';
import { type CertificateFiles, type EnvoyConfig, type EnvoyConfigOptions, withDefaults } from './options.js';
import { quoted } from './yaml-text.js';

/**
 * Certificates, keys and CAs that Envoy is to take up anew stand in files of their own, one a secret: only of those does it
 * follow the PEM files. The files name paths and hold no secret themselves.
 */

export interface SecretFile {
  /** In the `secretsFolder`, where the configuration looks for it. */
  path: string;
  text: string;
}

/**
 * The files that have to stand in `secretsFolder` before Envoy starts with the configuration of the same options. They need
 * to be written once: what they name may change, they do not. None where no `secretsFolder` is given.
 */
export function renderSecrets(options: EnvoyConfigOptions): SecretFile[] {
  const { tls, serviceTls, secretsFolder } = withDefaults(options);
  if (secretsFolder === undefined) return [];
  const file = (name: string, content: string): SecretFile => ({
    path: join(secretsFolder, `${name}.yaml`),
    text: `resources:\n- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret\n  name: ${name}\n  ${content}\n`,
  });
  return [
    ...(tls === undefined ? [] : [file(GATEWAY_CERTIFICATE, `tls_certificate: ${certificate(tls)}`)]),
    ...(serviceTls === undefined
      ? []
      : [
          file(SERVICE_CERTIFICATE, `tls_certificate: ${certificate(serviceTls)}`),
          file(SERVICE_CA, `validation_context: ${authority(serviceTls.caFile)}`),
        ]),
  ];
}

const GATEWAY_CERTIFICATE = 'gateway-certificate';
const SERVICE_CERTIFICATE = 'service-certificate';
const SERVICE_CA = 'service-ca';

/** What the gateway shows to callers: a field of a common_tls_context. */
export function gatewayCertificate(files: CertificateFiles, config: EnvoyConfig): string {
  return certificateField(GATEWAY_CERTIFICATE, files, config);
}

/** What the gateway shows to the services: a field of a common_tls_context. */
export function serviceCertificate(files: CertificateFiles, config: EnvoyConfig): string {
  return certificateField(SERVICE_CERTIFICATE, files, config);
}

/** Whom the gateway takes for a service: a field of a common_tls_context. `match` is one more field of a validation context. */
export function serviceAuthority(caFile: string, match: string, { secretsFolder }: EnvoyConfig): string {
  if (secretsFolder === undefined) return `validation_context:\n  trusted_ca: { filename: ${quoted(caFile)} }\n  ${match}`;
  return `combined_validation_context:
  default_validation_context: { ${match} }
  validation_context_sds_secret_config: ${fromFile(SERVICE_CA, secretsFolder)}`;
}

function certificateField(name: string, files: CertificateFiles, { secretsFolder }: EnvoyConfig): string {
  return secretsFolder === undefined
    ? `tls_certificates: [ ${certificate(files)} ]`
    : `tls_certificate_sds_secret_configs: [ ${fromFile(name, secretsFolder)} ]`;
}

function certificate({ certFile, keyFile }: CertificateFiles): string {
  return `{ certificate_chain: { filename: ${quoted(certFile)} }, private_key: { filename: ${quoted(keyFile)} } }`;
}

function authority(caFile: string): string {
  return `{ trusted_ca: { filename: ${quoted(caFile)} } }`;
}

function fromFile(name: string, folder: string): string {
  const path = quoted(join(folder, `${name}.yaml`));
  return `{ name: ${name}, sds_config: { resource_api_version: V3, path_config_source: { path: ${path} } } }`;
}

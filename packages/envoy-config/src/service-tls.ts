import { isIP } from 'node:net';
import type { EnvoyConfig, ServiceName } from './options.js';
import { serviceAuthority, serviceCertificate } from './secrets.js';
import { indented, quoted, stacked } from './yaml-text.js';

/** The TLS of one service's cluster; undefined where services are spoken to in plaintext. */
export function serviceTls(name: ServiceName, config: EnvoyConfig): string | undefined {
  const tls = config.serviceTls;
  if (tls === undefined) return undefined;
  const san = typeof tls.serverSan === 'string' ? tls.serverSan : tls.serverSan[name];
  const type = sanType(san);
  const match = `match_typed_subject_alt_names: [ { san_type: ${type}, matcher: { exact: ${quoted(san)} } } ]`;
  return stacked(
    `# Both sides show a certificate. The CA alone would let any service of it stand in for this one: its name counts too.
transport_socket:
  name: envoy.transport_sockets.tls
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
    type === 'DNS' ? `    sni: ${quoted(san)}` : undefined,
    `    common_tls_context:
      alpn_protocols: [ h2 ]
      tls_params: { tls_minimum_protocol_version: TLSv1_2 }`,
    indented(6, serviceCertificate(tls, config)),
    indented(6, serviceAuthority(tls.caFile, match, config)),
  );
}

function sanType(san: string): 'URI' | 'DNS' | 'IP_ADDRESS' {
  if (san.includes('://')) return 'URI';
  return isIP(san) === 0 ? 'DNS' : 'IP_ADDRESS';
}

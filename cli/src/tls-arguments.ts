import { resolve } from 'node:path';
import type { EnvoyConfigOptions } from '@tollgate/envoy-config/options';
import { textArgument } from './arguments.js';
import { wrongUse } from './cli-error.js';
import type { Arguments, Option } from './command.js';

const FILE = { type: 'string', value: 'FILE' } satisfies Partial<Option>;

/** The options of TLS towards callers and services. */
export const TLS_OPTIONS = {
  'tls-cert': { ...FILE, describe: 'The certificate (PEM) that callers see; they then connect by TLS.' },
  'tls-key': { ...FILE, describe: 'Its key.' },
  'service-cert': { ...FILE, describe: 'The certificate (PEM) that our services see; they are then spoken to by mTLS.' },
  'service-key': { ...FILE, describe: 'Its key.' },
  'service-ca': { ...FILE, describe: "The CA of the services' certificates." },
  'service-san': { type: 'string', value: 'NAME', describe: "The DNS name or URI that stands in the services' certificates." },
  'secrets-folder': {
    type: 'string',
    value: 'FOLDER',
    describe: 'Also writes the files by which Envoy takes up renewed certificates without a restart into this folder.',
  },
} satisfies Record<string, Option>;

/** Paths become absolute: Envoy may start in another folder. Throws a CliError where a part is missing. */
export function tlsArguments(args: Arguments): Pick<EnvoyConfigOptions, 'tls' | 'serviceTls' | 'secretsFolder'> {
  const caller = together(args, ['tls-cert', 'tls-key']);
  const service = together(args, ['service-cert', 'service-key', 'service-ca', 'service-san']);
  const secretsFolder = textArgument(args, 'secrets-folder');
  if (secretsFolder !== undefined && caller === undefined && service === undefined)
    throw wrongUse('--secrets-folder needs --tls-cert or --service-cert: without TLS there is nothing to renew.');
  const [tlsCert, tlsKey] = caller ?? [];
  const [certFile, keyFile, caFile, serverSan] = service ?? [];
  return {
    secretsFolder: secretsFolder && resolve(secretsFolder),
    tls: tlsCert && tlsKey ? { certFile: resolve(tlsCert), keyFile: resolve(tlsKey) } : undefined,
    serviceTls:
      certFile && keyFile && caFile && serverSan
        ? { certFile: resolve(certFile), keyFile: resolve(keyFile), caFile: resolve(caFile), serverSan }
        : undefined,
  };
}

/** The values of options that only make sense with each other; undefined where none was given. */
function together(args: Arguments, names: readonly string[]): string[] | undefined {
  const values = names.map((name) => textArgument(args, name));
  if (values.every((value) => value === undefined)) return undefined;
  const missing = names.filter((_, index) => values[index] === undefined);
  if (missing.length > 0)
    throw wrongUse(`${list(names)} belong together: ${list(missing)} ${missing.length === 1 ? 'is' : 'are'} missing.`);
  return values as string[];
}

function list(names: readonly string[]): string {
  return names.map((name) => `--${name}`).join(', ');
}

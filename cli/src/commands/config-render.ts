import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Address, EnvoyConfigOptions, GatewayRoute } from '@tollgate/envoy-config/options';
import { renderEnvoyConfig } from '@tollgate/envoy-config/render-envoy-config';
import { renderSecrets } from '@tollgate/envoy-config/secrets';
import { parseListenAddress } from '@tollgate/service-kit/listen-address';
import { listArgument, textArgument, wholeNumber } from '../arguments.js';
import { wrongUse } from '../cli-error.js';
import type { Arguments, Command, Option } from '../command.js';
import { quoted } from '../printable.js';
import { readTextFile } from '../text-file.js';
import { TLS_OPTIONS, tlsArguments } from '../tls-arguments.js';
import { TRACING_OPTIONS, tracingArguments } from '../tracing-arguments.js';

const ADDRESS = { type: 'string', value: 'ADDR', array: true } satisfies Partial<Option>;
const MAX_PORT = 65_535;
/** As much of it as usage events keep. */
const NODE_ID = /^[\w.:/-]{1,256}$/;

export const configRender: Command = {
  noun: 'config',
  verb: 'render',
  describe: 'Prints the Envoy configuration for these addresses, as YAML. Needs no database.',
  example: 'tollgate config render --gateway-port 8080 --upstream https://api.example.com > envoy.yaml',
  options: {
    'node-id': {
      type: 'string',
      value: 'NAME',
      describe:
        "The node's id, a part of each usage event's id: every gateway needs its own, and its reconciler the same; default: gateway-1.",
    },
    'gateway-port': { type: 'string', value: 'N', describe: 'Where callers connect; default: 8080.' },
    'admin-port': { type: 'string', value: 'N', describe: "Envoy's admin interface, on loopback; default: 9901." },
    'metrics-port': {
      type: 'string',
      value: 'N',
      describe: "Envoy's metrics at /stats/prometheus, and nothing else, on every address; without it on the admin port alone.",
    },
    upstream: { type: 'string', value: 'URL', describe: 'The one API behind the gateway.' },
    routes: {
      type: 'string',
      value: 'FILE',
      describe: 'Several APIs: YAML or JSON, a list of { name, prefix, upstream, scope, timeout, streaming, public }.',
    },
    authz: { ...ADDRESS, describe: 'An authz-service: host:port or unix:/path. May be repeated, as the next two.' },
    ratelimit: { ...ADDRESS, describe: 'A ratelimit-service.' },
    usage: { ...ADDRESS, describe: 'A usage collector.' },
    'usage-file': {
      type: 'string',
      value: 'PATH',
      describe: 'A file on the disk of the gateway that gets every usage entry too, for the reconciler; its folder must exist.',
    },
    ...TLS_OPTIONS,
    ...TRACING_OPTIONS,
  },
  formats: ['table', 'json'],
  async run(args, { output }) {
    const gatewayPort = portArgument(args, 'gateway-port');
    const adminPort = portArgument(args, 'admin-port');
    const metricsPort = portArgument(args, 'metrics-port');
    const upstreamUrl = textArgument(args, 'upstream');
    const routes = await routesArgument(args);
    if (upstreamUrl !== undefined && routes !== undefined) throw wrongUse('--upstream and --routes exclude each other.');
    const options: EnvoyConfigOptions = {
      nodeId: nodeIdArgument(args),
      gateway: gatewayPort === undefined ? undefined : { host: '0.0.0.0', port: gatewayPort },
      admin: adminPort === undefined ? undefined : { host: '127.0.0.1', port: adminPort },
      metrics: metricsPort === undefined ? undefined : { host: '0.0.0.0', port: metricsPort },
      upstreamUrl,
      routes,
      authz: addressesArgument(args, 'authz'),
      ratelimit: addressesArgument(args, 'ratelimit'),
      usage: addressesArgument(args, 'usage'),
      accessLogFile: textArgument(args, 'usage-file'),
      ...tlsArguments(args),
      tracing: tracingArguments(args),
    };
    const config = renderEnvoyConfig(options);
    for (const { path, text } of renderSecrets(options)) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
    output.text(config);
  },
};

function nodeIdArgument(args: Arguments): string | undefined {
  const nodeId = textArgument(args, 'node-id');
  if (nodeId !== undefined && !NODE_ID.test(nodeId))
    throw wrongUse(`--node-id takes up to 256 letters, digits and -._:/, not ${quoted(nodeId)}.`);
  return nodeId;
}

function portArgument(args: Arguments, name: string): number | undefined {
  const port = wholeNumber(args, name);
  if (port !== undefined && port > MAX_PORT) throw wrongUse(`--${name} takes a port from 0 to ${MAX_PORT}.`);
  return port;
}

async function routesArgument(args: Arguments): Promise<GatewayRoute[] | undefined> {
  const path = textArgument(args, 'routes');
  if (path === undefined) return undefined;
  // It brings a parser of YAML along, for which no other command should wait.
  const { parseRoutesFile } = await import('@tollgate/envoy-config/routes-file');
  const read = parseRoutesFile(await readTextFile(path), path);
  if (read.kind === 'refused') throw wrongUse(`The routes file does not serve:\n  ${read.problems.join('\n  ')}`);
  return read.routes;
}

function addressesArgument(args: Arguments, name: string): Address[] | undefined {
  return listArgument(args, name)?.map((text) => {
    const found = parseListenAddress(text.trim());
    if (found === undefined || (found.kind === 'tcp' && found.port === 0))
      throw wrongUse(`--${name} takes host:port or unix:/path, not ${quoted(text)}.`);
    return found.kind === 'unix' ? { unix: found.path } : { host: found.host, port: found.port };
  });
}

import type { TracingOptions } from '@tollgate/envoy-config/options';
import type { StandaloneConfig } from './config.js';

export interface GatewayTracing {
  /** Of Envoy's configuration; undefined without an endpoint. */
  tracing: TracingOptions | undefined;
  /** Envoy's environment, which holds the values of headers; undefined where it needs none of its own. */
  env: Record<string, string> | undefined;
}

/** How Envoy sends its spans where the services send theirs. */
export function gatewayTracing({
  otlpEndpoint,
  otlpHeaders = {},
  sampledShare,
  areTracesRestarted: isRestarted,
  environment,
}: StandaloneConfig): GatewayTracing {
  if (otlpEndpoint === undefined) return { tracing: undefined, env: undefined };
  const variables = Object.entries(otlpHeaders).map(([name, value], i) => ({
    name,
    value,
    variable: `TOLLGATE_OTLP_HEADER_${i}`,
  }));
  const headers = Object.fromEntries(variables.map(({ name, variable }) => [name, variable]));
  const tracing = { endpoint: otlpEndpoint, headers, sampledShare, isRestarted };
  if (variables.length === 0) return { tracing, env: undefined };
  const inherited = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const own = variables.map(({ variable, value }) => [variable, value]);
  return { tracing, env: Object.fromEntries([...inherited, ...own]) };
}

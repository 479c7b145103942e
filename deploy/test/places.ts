/** Where on this machine the containers' places are: a folder for each volume, a port of loopback for each of their ports. */
import { once } from 'node:events';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { PROJECT, readProjectFile } from '../../test/architecture/project-files.js';
import { aliasesOf, type ComposeFile, type ComposeService, mountsOf, networkOwner } from './compose-file.js';

export interface Places {
  folderOf(volume: string): string;
  /** A text of a service's definition, as it has to be said here. */
  here(service: string, text: string): string;
  /** The port of loopback in the place of `host:port`, as `service` would say it. */
  portOf(service: string, host: string, port: number): number;
  /** Lets go of the ports that were held for the service, which is about to listen on them. */
  release(service: string): Promise<void>;
  /** Says the addresses anew in a file that was made for the containers' networks; `service` is the one that reads it. */
  moveFile(service: string, volume: string, name: string): Promise<void>;
}

const OWN_HOSTS = ['0.0.0.0', '127.0.0.1'];
/** `host:port`, bash's `/dev/tcp/host/port`, and an address in Envoy's configuration. */
const FORMS = [
  /(?<before>(?<![\w.-]))(?<host>[a-z][\w-]*|0\.0\.0\.0|127\.0\.0\.1)(?<between>:)(?<port>\d{2,5})\b/g,
  /(?<before>\/dev\/tcp\/)(?<host>[\w.-]+)(?<between>\/)(?<port>\d+)/g,
  /(?<before>address: ")(?<host>[\w.-]+)(?<between>", port_value: )(?<port>\d+)/g,
];

/** `given` are servers that run already, by `host:port`. */
export async function findPlaces(compose: ComposeFile, folder: string, given: ReadonlyMap<string, number>): Promise<Places> {
  for (const volume of Object.keys(compose.volumes)) await mkdir(join(folder, volume), { recursive: true });
  const owners = hostOwners(compose);
  const ports = new Map(given);
  // Held until they are needed: between a look and its use a free port becomes another's.
  const held = new Map<string, Server>();
  const keyOf = (service: string, host: string, port: string): string | undefined => {
    const owner = OWN_HOSTS.includes(host) ? networkOwner(service, serviceOf(compose, service)) : owners.get(host);
    return owner === undefined ? undefined : `${owner}:${port}`;
  };
  for (const [name, service] of Object.entries(compose.services)) {
    for (const text of textsOf(service)) {
      for (const { host, port } of FORMS.flatMap((form) => [...text.matchAll(form)].map((match) => match.groups ?? {}))) {
        const key = keyOf(name, host ?? '', port ?? '');
        if (key === undefined || ports.has(key)) continue;
        const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
        await once(server, 'listening');
        held.set(key, server.unref());
        ports.set(key, (server.address() as AddressInfo).port);
      }
    }
  }
  const addressesHere = (service: string, text: string): string =>
    FORMS.reduce(
      (said, form) =>
        said.replace(form, (whole, before: string, host: string, between: string, port: string) => {
          const found = ports.get(keyOf(service, host, port) ?? '');
          return found === undefined ? whole : `${before}127.0.0.1${between}${found}`;
        }),
      text,
    );
  const folderOf = (volume: string): string => join(folder, volume);
  return {
    folderOf,
    here: (service, text) => addressesHere(service, pathsHere(serviceOf(compose, service), folderOf, text)),
    portOf: (service, host, port) => {
      const found = ports.get(keyOf(service, host, String(port)) ?? '');
      if (found === undefined) throw new Error(`${service} says nothing of ${host}:${port}`);
      return found;
    },
    release: async (service) => {
      const owner = networkOwner(service, serviceOf(compose, service));
      for (const [key, server] of held) {
        if (!key.startsWith(`${owner}:`)) continue;
        held.delete(key);
        await once(server.close(), 'close');
      }
    },
    moveFile: async (service, volume, name) => {
      const path = join(folderOf(volume), name);
      await writeFile(`${path}.moved`, addressesHere(service, await readFile(path, 'utf8')));
      await rename(`${path}.moved`, path);
    },
  };
}

export function serviceOf(compose: ComposeFile, name: string): ComposeService {
  const service = compose.services[name];
  if (service === undefined) throw new Error(`docker-compose.yml has no service ${name}.`);
  return service;
}

/** Which service a name in a network leads to. */
function hostOwners({ services }: ComposeFile): Map<string, string> {
  const owners = new Map(Object.keys(services).map((name) => [name, name]));
  for (const [name, service] of Object.entries(services)) {
    for (const alias of aliasesOf(service)) owners.set(alias, name);
  }
  return owners;
}

function textsOf(service: ComposeService): string[] {
  const { command = [], environment = {}, healthcheck, ports = [] } = service;
  // What is published is what the service listens on, inside.
  const inner = ports.map((port) => `0.0.0.0:${port.split(':').at(-1)}`);
  const mounted = mountsOf(service).filter(({ source }) => /^\.\/.*\.yml$/.test(source));
  const files = mounted.map(({ source }) => readProjectFile(source).text);
  return [...command, ...Object.values(environment), ...(healthcheck?.test ?? []), ...inner, ...files];
}

function pathsHere(service: ComposeService, folderOf: (volume: string) => string, text: string): string {
  const mounts = mountsOf(service).sort((a, b) => b.target.length - a.target.length);
  return mounts.reduce(
    (said, { source, target }) => said.replaceAll(target, source.startsWith('./') ? join(PROJECT, source) : folderOf(source)),
    text,
  );
}

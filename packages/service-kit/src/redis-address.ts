/** Where Redis is, as REDIS_URL says it: one server, the master that Sentinels name, or a cluster. */
export type RedisAddress = {
  /** The server itself, some Sentinels, or some nodes of the cluster; at least one. */
  hosts: readonly RedisHost[];
  isTls: boolean;
  username?: string;
  password?: string;
  /** The numbered database; a cluster has 0 only. */
  database: number;
} & ({ kind: 'single' } | { kind: 'sentinel'; masterName: string } | { kind: 'cluster' });

export interface RedisHost {
  host: string;
  port: number;
}

const FORM = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?$/;
const EXAMPLES =
  'redis://host:6379, redis+sentinel://host:26379,host:26379/master-name or redis+cluster://host:6379,host:6379, with rediss in the place of redis for TLS';
const DEFAULT_PORT = { single: 6379, sentinel: 26_379, cluster: 6379 } as const;
const MAX_PORT = 65_535;

/**
 * `redis[s]://[user:password@]host[:port][/database]`, `redis[s]+sentinel://…host:port,host:port/master-name[/database]`,
 * `redis[s]+cluster://…host:port,host:port`; user and password percent-encoded. Throws a RangeError whose message finishes
 * the sentence "REDIS_URL …" and repeats nothing of the text, which holds a password.
 */
export function parseRedisAddress(text: string): RedisAddress {
  const [, scheme, mode = 'single', login, hostList = '', path = ''] = FORM.exec(text) ?? [];
  if (scheme === undefined) throw new RangeError(`must be such as ${EXAMPLES}`);
  const kind = mode as RedisAddress['kind'];
  const hosts = hostList.split(',').map((each) => parseHost(each, DEFAULT_PORT[kind]));
  if (kind === 'single' && hosts.length > 1)
    throw new RangeError('names several hosts: begin it with redis+sentinel:// or redis+cluster://');
  const common = { hosts, isTls: scheme === 'rediss', ...parseLogin(login) };
  const parts = path === '' ? [] : path.split('/').map(decoded);
  if (kind === 'cluster') {
    if (parts.length > 0)
      throw new RangeError('has a path, but a cluster has no numbered databases: leave out what follows the hosts');
    return { kind, ...common, database: 0 };
  }
  if (kind === 'single') return { kind, ...common, database: parseDatabase(parts) };
  const [masterName = '', ...rest] = parts;
  if (masterName === '') throw new RangeError('lacks the name of the master that the Sentinels watch: …/master-name');
  return { kind, ...common, masterName, database: parseDatabase(rest) };
}

function parseHost(text: string, defaultPort: number): RedisHost {
  const [, ipv6, name, digits] = /^(?:\[([\da-fA-F:.]+)\]|([^\s:[\]]+))(?::(\d+))?$/.exec(text) ?? [];
  const port = digits === undefined ? defaultPort : Number(digits);
  const host = ipv6 ?? name;
  if (host === undefined || port < 1 || port > MAX_PORT)
    throw new RangeError('holds a host that is not host, host:port or [IPv6]:port; several are parted by commas');
  return { host, port };
}

function parseLogin(login: string | undefined): { username?: string; password?: string } {
  if (login === undefined) return {};
  const [username = '', ...rest] = login.split(':');
  const password = rest.join(':');
  return {
    ...(username !== '' && { username: decoded(username) }),
    ...(password !== '' && { password: decoded(password) }),
  };
}

function parseDatabase(parts: readonly string[]): number {
  const [text = '0', ...rest] = parts;
  if (rest.length > 0 || !/^\d{1,5}$/.test(text)) throw new RangeError('ends in a database that is not a number');
  return Number(text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RangeError('holds a % that begins no escape: write % as %25');
  }
}

import { BlockList, isIP, isIPv6 } from 'node:net';

/** Where a server listens. Port 0 picks a free one. */
export type ListenAddress = { kind: 'tcp'; host: string; port: number } | { kind: 'unix'; path: string };

const TCP = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/;
const UNIX = /^unix:(?:\/\/)?(\/[^/].*)$/;
const MAX_PORT = 65_535;
/** The kernel's room for a socket's path, without the closing zero; macOS has the least. */
const MAX_UNIX_PATH_BYTES = 103;

/** Reads `host:port`, `[IPv6]:port` or `unix:/path`; undefined where the text is none of these. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const path = UNIX.exec(text)?.[1];
  if (path !== undefined) return Buffer.byteLength(path) <= MAX_UNIX_PATH_BYTES ? { kind: 'unix', path } : undefined;
  const [, ipv6, name, digits] = TCP.exec(text) ?? [];
  const port = Number(digits);
  const host = ipv6 ?? name;
  if (host === undefined || port > MAX_PORT) return undefined;
  return ipv6 === undefined || isIPv6(ipv6) ? { kind: 'tcp', host, port } : undefined;
}

/** The address as settings spell it. */
export function formatListenAddress(listen: ListenAddress): string {
  if (listen.kind === 'unix') return `unix:${listen.path}`;
  return `${isIPv6(listen.host) ? `[${listen.host}]` : listen.host}:${listen.port}`;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether only this machine can reach the address. A name other than localhost may lead anywhere, so it does not count. */
export function isLocal(listen: ListenAddress): boolean {
  if (listen.kind === 'unix') return true;
  const { host } = listen;
  if (host.toLowerCase() === 'localhost') return true;
  return isIP(host) !== 0 && LOOPBACK.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}

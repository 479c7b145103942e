import { isIP } from 'node:net';

export interface Upstream {
  host: string;
  port: number;
  /** As a Host header names it: without the scheme's own port. */
  authority: string;
  isTls: boolean;
  /** gRPC needs HTTP/2 all the way; everything else is spoken to in HTTP/1.1, which every server knows. */
  isGrpc: boolean;
}

export type ParsedUpstream = { kind: 'upstream'; upstream: Upstream } | { kind: 'refused'; reason: string };

const DEFAULT_PORTS: Record<string, number> = { 'http:': 80, 'grpc:': 80, 'https:': 443, 'grpcs:': 443 };

/** Reads an upstream's URL. The reason of a refusal completes the sentence "the upstream …" and never holds a password. */
export function parseUpstreamUrl(text: string): ParsedUpstream {
  const scheme = /^([a-z]+:)\/\//.exec(text)?.[1] ?? '';
  const defaultPort = DEFAULT_PORTS[scheme];
  if (defaultPort === undefined) return refused('must begin with http://, https://, grpc:// or grpcs://');
  // Read as http, as only the web's own schemes have a port and a host with rules.
  const asHttp = `http${text.slice(scheme.length - 1)}`;
  if (!URL.canParse(asHttp)) return refused('is not a URL');
  const url = new URL(asHttp);
  if (url.username !== '' || url.password !== '') return refused('must not hold a user or password');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    return refused('must be a host without a path: what callers ask for is passed on as it is');
  const port = portOf(asHttp, url, defaultPort);
  if (port === 0) return refused('needs a port other than 0');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return {
    kind: 'upstream',
    upstream: {
      host,
      port,
      authority: port === defaultPort ? url.hostname : `${url.hostname}:${port}`,
      isTls: scheme === 'https:' || scheme === 'grpcs:',
      isGrpc: scheme.startsWith('grpc'),
    },
  };
}

/** Whether Envoy has to ask a name server for it. */
export function isHostName(host: string): boolean {
  return isIP(host) === 0;
}

/** `new URL` drops port 80 of what it takes for http, which is not the port of https. */
function portOf(text: string, url: URL, defaultPort: number): number {
  if (url.port !== '') return Number(url.port);
  return /:0*80\/?$/.test(text) ? 80 : defaultPort;
}

function refused(reason: string): ParsedUpstream {
  return { kind: 'refused', reason };
}

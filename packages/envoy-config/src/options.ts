/** What the configuration is made for. Everything has the default of a gateway and its services on one machine. */
export interface EnvoyConfigOptions {
  /** Where callers connect. Port 0 lets the system choose; the admin's `/listeners` then tells it. */
  gateway?: TcpAddress | undefined;
  /** Envoy's own admin interface. It can stop the gateway: loopback or a unix socket only. */
  admin?: Address | undefined;
  /** Where Prometheus on another machine reads `/stats/prometheus`, without the rest of the admin interface. */
  metrics?: TcpAddress | undefined;
  /** Part of every usage event's id, so no two gateways that write into one event log may share it. */
  nodeId?: string | undefined;
  /** Told by `/health`. Without it Envoy reads TOLLGATE_VERSION from its environment. */
  version?: string | undefined;
  /** The one upstream of everything, where there are no `routes`. */
  upstreamUrl?: string | undefined;
  routes?: readonly GatewayRoute[] | undefined;
  /** How long an upstream may take to answer a route that does not say. */
  upstreamTimeoutMs?: number | undefined;
  /** The certificate authorities (PEM) that https upstreams are verified against. */
  upstreamCaFile?: string | undefined;
  authz?: readonly Address[] | undefined;
  ratelimit?: readonly Address[] | undefined;
  usage?: readonly Address[] | undefined;
  /** How long a request waits for ratelimit before it passes without; 50 ms if not given. */
  ratelimitTimeoutMs?: number | undefined;
  /** Origins whose browsers may call; their preflights are answered without a key. `*` allows all. */
  corsOrigins?: readonly string[] | undefined;
  /** Callers then connect by TLS. */
  tls?: CertificateFiles | undefined;
  /** Envoy and the services then know each other by certificates. */
  serviceTls?: ServiceTls | undefined;
  /**
   * The folder for the files that `renderSecrets` makes. With it Envoy takes up new certificates and CAs that are renamed into
   * place, or swapped by a link above them; without it they are read once, at the start.
   */
  secretsFolder?: string | undefined;
  /** A second witness of usage on the gateway's own disk, one JSON object a line. Its folder must exist. */
  accessLogFile?: string | undefined;
  /** Requests that announce a longer body are refused with 413. Without it the upstream decides. */
  maxRequestBytes?: number | undefined;
  /** How long a request lives at most, streams too: so long can one outlive the revocation of its key. An hour if not given. */
  maxStreamMs?: number | undefined;
  /** Where Envoy sends its spans; without it there are none, and traceparent headers pass as they are. */
  tracing?: TracingOptions | undefined;
}

export interface TracingOptions {
  /** As OTEL_EXPORTER_OTLP_ENDPOINT: `http://collector:4318`. `/v1/traces` is added to its path. */
  endpoint: string;
  /** Of what is sent there: the variable of Envoy's environment that holds the value, by header. No secret stands in the file. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Of requests without a traceparent, how many are traced: 0 to 1; all if not given. */
  sampledShare?: number | undefined;
  /** Callers are strangers: their traceparent is dropped, and every trace begins here. */
  isRestarted?: boolean | undefined;
}

/** Paths of PEM files. */
export interface CertificateFiles {
  certFile: string;
  keyFile: string;
}

export type ServiceName = 'authz' | 'ratelimit' | 'usage';

export interface ServiceTls extends CertificateFiles {
  /** Of those who may be a service of ours. */
  caFile: string;
  /** The DNS name or URI that stands in a service's certificate: one for all, or each its own. */
  serverSan: string | Readonly<Record<ServiceName, string>>;
}

export interface TcpAddress {
  host: string;
  port: number;
}

export type Address = TcpAddress | { unix: string };

export interface GatewayRoute {
  /** Stands in every usage event as `route`. */
  name: string;
  /** `/v1/orders` matches itself and everything below it, but not `/v1/orders2`. The longest prefix wins. */
  prefix: string;
  /** `http://`, `https://`, or for gRPC `grpc://` and `grpcs://`; without a path. */
  upstream: string;
  /** The scope that a key must have. */
  scope?: string | undefined;
  timeoutMs?: number | undefined;
  /** No route timeout and no idle timeout: server-sent events, gRPC streams, long polls. */
  streaming?: boolean | undefined;
  /** Needs no key. Not limited and not metered, and a key that is sent all the same stops here. */
  public?: boolean | undefined;
}

/** The options with every default filled in and every route checked. */
export interface EnvoyConfig {
  gateway: TcpAddress;
  admin: Address;
  metrics: TcpAddress | undefined;
  nodeId: string;
  version: string | undefined;
  routes: readonly GatewayRoute[];
  upstreamTimeoutMs: number;
  upstreamCaFile: string;
  authz: readonly Address[];
  ratelimit: readonly Address[];
  usage: readonly Address[];
  ratelimitTimeoutMs: number;
  corsOrigins: readonly string[];
  tls: CertificateFiles | undefined;
  serviceTls: ServiceTls | undefined;
  secretsFolder: string | undefined;
  accessLogFile: string | undefined;
  maxRequestBytes: number | undefined;
  maxStreamMs: number;
  tracing: TracingOptions | undefined;
}

/** Where Debian, Ubuntu and Alpine keep their certificate authorities, and Envoy's own image too. */
export const SYSTEM_CA_FILE = '/etc/ssl/certs/ca-certificates.crt';
const DEFAULT_UPSTREAM_URL = 'http://127.0.0.1:3000';

export function withDefaults(options: EnvoyConfigOptions): EnvoyConfig {
  const onlyRoute = { name: 'default', prefix: '/', upstream: options.upstreamUrl ?? DEFAULT_UPSTREAM_URL };
  return {
    gateway: options.gateway ?? { host: '0.0.0.0', port: 8080 },
    admin: options.admin ?? { host: '127.0.0.1', port: 9901 },
    metrics: options.metrics,
    nodeId: options.nodeId ?? 'gateway-1',
    version: options.version,
    routes: options.routes ?? [onlyRoute],
    upstreamTimeoutMs: options.upstreamTimeoutMs ?? 15_000,
    upstreamCaFile: options.upstreamCaFile ?? SYSTEM_CA_FILE,
    authz: options.authz ?? [{ host: '127.0.0.1', port: 50051 }],
    ratelimit: options.ratelimit ?? [{ host: '127.0.0.1', port: 8081 }],
    usage: options.usage ?? [{ host: '127.0.0.1', port: 50052 }],
    ratelimitTimeoutMs: options.ratelimitTimeoutMs ?? 50,
    corsOrigins: options.corsOrigins ?? [],
    tls: options.tls,
    serviceTls: options.serviceTls,
    secretsFolder: options.secretsFolder,
    accessLogFile: options.accessLogFile,
    maxRequestBytes: options.maxRequestBytes,
    maxStreamMs: options.maxStreamMs ?? 3_600_000,
    tracing: options.tracing,
  };
}

/** The one place where a gRPC server is made, so that another one can stand under the services. */
import { setTimeout as delay } from 'node:timers/promises';
import { type handleServerStreamingCall, Server, type ServerCredentials, type ServerOptions } from '@grpc/grpc-js';
import { withDeadline } from './deadline.js';
import { createFailureLog } from './failure-log.js';
import type { GrpcMethod } from './grpc.js';
import { admission, type GrpcTls, grpcCredentials } from './grpc-credentials.js';
import { type HandlerOptions, methodAdder, NOT_ADMITTED } from './grpc-handlers.js';
import { createGrpcHealth, type GrpcHealth } from './grpc-health.js';
import { reloadTls } from './grpc-tls-reload.js';
import { formatListenAddress, type ListenAddress } from './listen-address.js';
import type { Logger } from './log.js';
import type { Metrics } from './metrics.js';
import { traceIdOf } from './trace-context.js';
import { startUnaryServer } from './unary-server.js';
import { freeSocketPath } from './unix-socket.js';

export type { GrpcTls } from './grpc-credentials.js';

export interface GrpcServerOptions {
  listen: ListenAddress;
  methods: readonly GrpcMethod[];
  log: Logger;
  /** Serve without TLS beyond loopback and unix sockets. */
  allowPlaintext: boolean;
  tls?: GrpcTls;
  /** Where reloads of the TLS files are counted, and the end of the certificate is told. */
  metrics?: Metrics;
  /** How often the TLS files are looked at; once a second if not given. New ones serve from the second look on. */
  tlsLookMs?: number;
  /** The largest message taken in; 4 MiB if not given. A larger one is RESOURCE_EXHAUSTED. */
  maxReceiveBytes?: number;
  /** Asynchronous calls in work at once; beyond it a call is RESOURCE_EXHAUSTED at once. Unbounded if not given. */
  maxInFlight?: number;
  maxConcurrentStreams?: number;
  /** A connection without a stream for so long is closed; 5 minutes if not given. */
  maxConnectionIdleMs?: number;
  /** A connection of this age is closed when its calls are done. Not for endless streams: it cuts them off. */
  maxConnectionAgeMs?: number;
  /** How often a silent peer is asked whether it lives; once a minute if not given. */
  keepaliveTimeMs?: number;
  /** How long `close` goes on serving as NOT_SERVING, so that callers turn away first. 0 if not given. */
  drainMs?: number;
}

export interface GrpcServer {
  /** As settings spell it, with the port that was picked: `127.0.0.1:43121`, `unix:/path`. */
  address: string;
  /** What grpc.health.v1 tells; true from the start. */
  setServing(isServing: boolean): void;
  /** Tells NOT_SERVING, waits `drainMs`, lets calls end, and cuts off what has not ended after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

const RECEIVE_BYTES = 4 << 20;
const IDLE_MS = 300_000;
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
const TLS_LOOK_MS = 1000;
/** For connections that were cut off to be gone. */
const CUT_OFF_MS = 1000;
/** What a connection that has reached its age still has for its calls. */
const AGE_GRACE_MS = 10_000;

/**
 * Serves the methods and grpc.health.v1. Throws SettingsError where the settings would serve strangers in plaintext or the
 * TLS files do not fit; rejects where the address is taken.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { methods, tls, drainMs = 0 } = options;
  const credentials = grpcCredentials(options);
  const health = createGrpcHealth(new Set(methods.map((method) => method.path.split('/')[1] ?? '')));
  const unary = methods.filter((method) => method.kind === 'unary');
  const isPlainUnary = tls === undefined && unary.length === methods.length;
  const { address, shutDown } = isPlainUnary
    ? await startPlainUnary(options, unary, health)
    : await startGrpcJs(options, credentials, health);

  let closing: Promise<void> | undefined;
  const close = async (graceMs: number): Promise<void> => {
    health.setServing(false);
    if (drainMs > 0) await delay(drainMs);
    health.endWatches();
    await shutDown(graceMs);
  };
  return {
    address,
    setServing(isServing) {
      if (closing === undefined) health.setServing(isServing);
    },
    close(graceMs) {
      closing ??= close(graceMs);
      return closing;
    },
  };
}

interface Running {
  address: string;
  /** Lets calls end and cuts off what is left after the grace time. */
  shutDown(graceMs: number): Promise<void>;
}

function failureTold({ log }: GrpcServerOptions): HandlerOptions['onFailure'] {
  const logFailure = createFailureLog(log);
  return (error, path, call) => logFailure(error, path, Date.now(), traceIdOf(call));
}

/** The way that Envoy's two questions take on one machine: half the CPU of grpc-js. */
async function startPlainUnary(
  options: GrpcServerOptions,
  methods: readonly (GrpcMethod & { kind: 'unary' })[],
  health: GrpcHealth,
): Promise<Running> {
  const { close, address } = await startUnaryServer({
    listen: options.listen,
    methods,
    health: health.check,
    watch: health.watch,
    maxReceiveBytes: options.maxReceiveBytes ?? RECEIVE_BYTES,
    maxInFlight: options.maxInFlight ?? Number.POSITIVE_INFINITY,
    maxConcurrentStreams: options.maxConcurrentStreams,
    maxConnectionIdleMs: options.maxConnectionIdleMs ?? IDLE_MS,
    maxConnectionAgeMs: options.maxConnectionAgeMs,
    keepaliveTimeMs: options.keepaliveTimeMs ?? KEEPALIVE_MS,
    keepaliveTimeoutMs: KEEPALIVE_TIMEOUT_MS,
    onFailure: failureTold(options),
  });
  return { address, shutDown: close };
}

/** What streams, and what speaks TLS. */
async function startGrpcJs(options: GrpcServerOptions, credentials: ServerCredentials, health: GrpcHealth): Promise<Running> {
  const { listen, methods, tls, log, metrics, tlsLookMs = TLS_LOOK_MS } = options;
  const server = new Server(serverOptions(options));
  const handlers: HandlerOptions = {
    maxInFlight: options.maxInFlight ?? Number.POSITIVE_INFINITY,
    isAdmitted: admission(tls?.allowedSans),
    onFailure: failureTold(options),
  };
  const addMethod = methodAdder(server, handlers);
  for (const method of methods) addMethod(method);
  addHealth(server, health, handlers);
  const address = await bind(server, listen, credentials);
  const reload = reloadTls(credentials, { tls, log, metrics, everyMs: tlsLookMs });
  return {
    address,
    async shutDown(graceMs) {
      await shutDown(server, address, graceMs);
      reload.close();
    },
  };
}

function serverOptions(options: GrpcServerOptions): ServerOptions {
  const { maxReceiveBytes, maxConcurrentStreams, maxConnectionAgeMs } = options;
  return {
    'grpc.enable_channelz': 0,
    // Probes that reconnect leave sessions behind; without an end for idle ones they add up.
    'grpc.max_connection_idle_ms': options.maxConnectionIdleMs ?? IDLE_MS,
    'grpc.keepalive_time_ms': options.keepaliveTimeMs ?? KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    ...(maxReceiveBytes !== undefined && { 'grpc.max_receive_message_length': maxReceiveBytes }),
    ...(maxConcurrentStreams !== undefined && { 'grpc.max_concurrent_streams': maxConcurrentStreams }),
    ...(maxConnectionAgeMs !== undefined && {
      'grpc.max_connection_age_ms': maxConnectionAgeMs,
      'grpc.max_connection_age_grace_ms': AGE_GRACE_MS,
    }),
  };
}

/** Health is outside the count of calls in flight: a busy server is no dead one. */
function addHealth(server: Server, health: GrpcHealth, handlers: HandlerOptions): void {
  methodAdder(server, { ...handlers, maxInFlight: Number.POSITIVE_INFINITY })(health.check);
  const asIs = (bytes: Buffer): Buffer => bytes;
  const watch: handleServerStreamingCall<Buffer, Buffer> = (call) => {
    if (handlers.isAdmitted?.(call) === false) call.emit('error', NOT_ADMITTED);
    else health.watch.open(call.request, call);
  };
  server.register(health.watch.path, watch, asIs, asIs, 'serverStream');
}

async function bind(server: Server, listen: ListenAddress, credentials: ServerCredentials): Promise<string> {
  if (listen.kind === 'unix') await freeSocketPath(listen.path);
  const address = formatListenAddress(listen);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return listen.kind === 'unix' ? address : formatListenAddress({ ...listen, port });
}

/**
 * Lets calls end and cuts off what is left after the grace time. `drain` comes first and does the cutting: forceShutdown
 * forgets the connections of a server without channelz, and tryShutdown alone waits for ever on a peer that is gone.
 */
async function shutDown(server: Server, address: string, graceMs: number): Promise<void> {
  server.drain(address, graceMs);
  const ended = new Promise<void>((resolve) => {
    server.tryShutdown(() => resolve());
  });
  await withDeadline(ended, graceMs + CUT_OFF_MS, 'cutting off the connections').catch(() => server.forceShutdown());
}

/** Renews the certificates of a server that runs. */
import type { ServerCredentials } from '@grpc/grpc-js';
import { type GrpcTls, MutualTls } from './grpc-credentials.js';
import type { Logger } from './log.js';
import type { Metrics } from './metrics.js';
import { validityOf } from './tls-files.js';
import { watchTlsFiles } from './tls-watch.js';

interface TlsReloadOptions {
  tls: GrpcTls | undefined;
  log: Logger;
  metrics: Metrics | undefined;
  everyMs: number;
}

/** Follows the files of the server's TLS, if it has any, until it is closed. */
export function reloadTls(credentials: ServerCredentials, options: TlsReloadOptions): { close(): void } {
  const { tls, log, metrics, everyMs } = options;
  if (tls === undefined || !(credentials instanceof MutualTls)) return { close() {} };
  let untilMs = validityOf(credentials.startedWith).untilMs;
  const told = metrics && tlsMetrics(metrics, () => untilMs);
  return watchTlsFiles({
    files: tls,
    content: credentials.startedWith,
    everyMs,
    now: Date.now,
    onChange(content) {
      credentials.replace(content);
      ({ untilMs } = validityOf(content));
      told?.loaded.inc();
      log.info({ validUntil: new Date(untilMs).toISOString() }, 'new TLS files are in use');
    },
    onKept(problems) {
      told?.kept.inc();
      log.error({ problems }, 'new TLS files do not serve: the last good ones stay in use');
    },
  });
}

function tlsMetrics(metrics: Metrics, untilMs: () => number) {
  const reloads = metrics.counter({
    name: 'tollgate_tls_reloads_total',
    help: 'New TLS files: loaded, or kept out as they do not serve.',
    labels: ['outcome'],
  });
  metrics.gauge({
    name: 'tollgate_tls_certificate_expiry_timestamp_seconds',
    help: 'When the certificate of this service ends, in Unix seconds.',
    read: () => untilMs() / 1000,
  });
  return { loaded: reloads.with({ outcome: 'loaded' }), kept: reloads.with({ outcome: 'kept' }) };
}

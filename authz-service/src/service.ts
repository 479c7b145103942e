import { createRecordCache } from '@tollgate/cache/record-cache';
import type { KeyRecord } from '@tollgate/domain/judge-key';
import { findKeyByHash } from '@tollgate/postgres/api-keys';
import { followChanges, type Trust } from '@tollgate/postgres/changes/change-feed';
import { openDatabase } from '@tollgate/postgres/database';
import { startAdminServer } from '@tollgate/service-kit/admin-server';
import { withDeadline } from '@tollgate/service-kit/deadline';
import { startGrpcServer } from '@tollgate/service-kit/grpc-server';
import { createLogger, type Logger, requestFields } from '@tollgate/service-kit/log';
import { createMetrics } from '@tollgate/service-kit/metrics';
import { VERSION } from '@tollgate/service-kit/version';
import { authorize } from './authorize.js';
import type { AuthzConfig } from './config.js';
import { forgetChanged } from './forget-changed.js';
import { extAuthz } from './grpc/ext-authz.js';
import { type CacheTrust, createKeyCache } from './key-cache.js';
import { createAuthzMetrics } from './metrics.js';

export interface AuthzService {
  /** Where Envoy reaches it, as settings spell it. */
  address: string;
  adminAddress: string;
  /** Resolves when the first changes were read: from then on keys can be judged. */
  ready: Promise<void>;
  close(): Promise<void>;
}

export interface AuthzOverrides {
  log?: Logger;
}

const CONNECT_TIMEOUT_MS = 1_000;
/** Unknown keys are remembered briefly, since one may be made in a second; a push drops them at once. */
const ABSENT_TTL_MS = 5_000;
const ABSENT_KEYS = 50_000;
/** Loads at once; with one connection free after 2 ms, half a second's worth. */
const MAX_LOADS = 1_000;
const DRAIN_MS = 5_000;
const TRUST_STATE: Record<Trust, number> = { listening: 0, polling: 1, unreachable: 2 };

/** Starts authz: it serves at once, and answers 503 to what it cannot judge yet. */
export async function startAuthzService(config: AuthzConfig, overrides: AuthzOverrides = {}): Promise<AuthzService> {
  const log = overrides.log ?? createLogger({ service: 'authz', level: config.logLevel });
  const metrics = createMetrics('authz');
  const db = openDatabase({
    url: config.databaseUrl,
    maxConnections: config.databaseConnections,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    statementTimeoutMs: config.lookupTimeoutMs,
    applicationName: 'tollgate authz',
    onError: (error) => log.warn({ err: error }, 'a database connection was lost'),
  });
  const cache = createRecordCache<KeyRecord>({
    max: config.cacheKeys,
    ttlMs: config.cacheTtlMs,
    refreshAheadMs: config.cacheTtlMs / 5,
    negativeMax: ABSENT_KEYS,
    negativeTtlMs: ABSENT_TTL_MS,
    maxLoads: MAX_LOADS,
    load: (hash) => withDeadline(findKeyByHash(db, hash), config.lookupTimeoutMs, 'the look-up of a key'),
    onRefreshError: (error) => log.warn({ err: error }, 'a cached key could not be read again'),
  });

  let isCaughtUp = (): void => {};
  const ready = new Promise<void>((resolve) => {
    isCaughtUp = resolve;
  });
  const feed = followChanges({
    url: config.databaseUrl,
    applicationName: 'tollgate authz changes',
    onChange(change, atMs) {
      forgetChanged(cache, change);
      if (atMs !== undefined) told.onChangeApplied(Date.now() - atMs);
    },
    onTrust(trust) {
      log.info({ trust }, 'the trust in cached keys has changed');
      if (trust !== 'unreachable') isCaughtUp();
    },
    onError: (error) => log.warn({ err: error }, 'changes cannot be followed'),
  });
  const trust: CacheTrust = { isConnected: () => feed.trust() !== 'unreachable', caughtUpAtMs: () => feed.caughtUpAtMs() };
  const told = createAuthzMetrics(metrics, { ...trust, state: () => TRUST_STATE[feed.trust()] });
  const keys = createKeyCache({ cache, trust, maxStaleMs: config.maxStaleMs, onLookup: told.onLookup });

  const grpc = await startGrpcServer({
    listen: config.listen,
    methods: [
      extAuthz({
        authorize: (presented, nowMs) => authorize(presented, keys, nowMs),
        now: () => new Date(),
        onDecision(decision, requestId, startMs) {
          const durationMs = performance.now() - startMs;
          told.onDecision(decision, durationMs);
          if (decision.kind === 'unavailable') {
            log.warn({ ...requestFields({ requestId, durationMs }), err: decision.error }, 'a key cannot be judged');
          }
        },
      }),
    ],
    allowPlaintext: config.allowPlaintext,
    log,
  });

  let isClosing = false;
  const admin = await startAdminServer({
    listen: config.adminListen,
    metrics,
    version: VERSION,
    log,
    isReady: () => !isClosing,
    components: async () => ({ database: databaseState(feed.trust(), feed.caughtUpAtMs(), config.maxStaleMs) }),
  });

  return {
    address: grpc.address,
    adminAddress: admin.address,
    ready,
    async close() {
      isClosing = true;
      await grpc.close(DRAIN_MS);
      await feed.close();
      await db.close();
      await admin.close();
    },
  };
}

function databaseState(trust: Trust, caughtUpAtMs: number, maxStaleMs: number) {
  if (trust === 'listening') return { status: 'ok' as const };
  if (trust === 'polling') return { status: 'degraded' as const, detail: 'changes are polled: a revocation takes up to 2 s' };
  const ageMs = Date.now() - caughtUpAtMs;
  if (ageMs > maxStaleMs) return { status: 'down' as const, detail: 'the database is unreachable' };
  const left = Math.round((maxStaleMs - ageMs) / 1000);
  return { status: 'degraded' as const, detail: `the database is unreachable; cached keys go on for ${left} s` };
}

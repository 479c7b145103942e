import { createRecordCache, type RecordCache } from '@tollgate/cache/record-cache';
import type { KeyRecord } from '@tollgate/domain/judge-key';
import { findKeyByHash } from '@tollgate/postgres/api-keys';
import { type ChangeFeed, followChanges, type Trust } from '@tollgate/postgres/changes/change-feed';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import { startAdminServer } from '@tollgate/service-kit/admin-server';
import { withDeadline } from '@tollgate/service-kit/deadline';
import { createFailureLog } from '@tollgate/service-kit/failure-log';
import { type GrpcServer, startGrpcServer } from '@tollgate/service-kit/grpc-server';
import { grpcServing } from '@tollgate/service-kit/grpc-settings';
import { createLogger, type Logger } from '@tollgate/service-kit/log';
import { createMetrics } from '@tollgate/service-kit/metrics';
import { VERSION } from '@tollgate/service-kit/version';
import { authorize } from './authorize.js';
import type { AuthzConfig } from './config.js';
import { forgetChanged } from './forget-changed.js';
import { CHECK_PATH, extAuthz } from './grpc/ext-authz.js';
import { createKeyCache } from './key-cache.js';
import { type AuthzMetrics, createAuthzMetrics } from './metrics.js';

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
/** Keys that are looked up at once. */
const MAX_LOADS = 1_000;
/** Calls that wait for a look-up at once: many callers share one. */
const MAX_WAITING_CALLS = 10_000;
/** Spreads Envoy's connections over new instances, and ends what a broken peer left behind. */
const CONNECTION_AGE_MS = 600_000;
const CLOSE_GRACE_MS = 5_000;
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
  const logFailure = createFailureLog(log);
  const cache = openCache(config, db, (error) => logFailure(error, 'refresh', Date.now()));
  const told = createAuthzMetrics(metrics, () => TRUST_STATE[feed.trust()]);
  const { feed, ready } = followKeys(config.databaseUrl, cache, told, log);
  const trust = { isConnected: () => feed.trust() !== 'unreachable', caughtUpAtMs: feed.caughtUpAtMs };
  const keys = createKeyCache({ cache, trust, maxStaleMs: config.maxStaleMs, onLookup: told.onLookup });
  const check = extAuthz({
    authorize: (presented, nowMs) => authorize(presented, keys, nowMs),
    now: Date.now,
    onDecision(decision, durationMs) {
      told.onDecision(decision, durationMs);
      if (decision.kind === 'unavailable') logFailure(decision.error, CHECK_PATH, Date.now());
    },
  });

  let isClosing = false;
  let grpc: GrpcServer | undefined;
  const release = async (): Promise<void> => {
    isClosing = true;
    await grpc?.close(CLOSE_GRACE_MS);
    await feed.close();
    await db.close();
  };
  try {
    const limits = { maxInFlight: MAX_WAITING_CALLS, maxConnectionAgeMs: CONNECTION_AGE_MS };
    grpc = await startGrpcServer({ listen: config.listen, methods: [check], log, ...grpcServing(config), ...limits });
    const admin = await startAdminServer({
      listen: config.adminListen,
      metrics,
      version: VERSION,
      log,
      isReady: () => !isClosing,
      components: async () => ({ database: databaseState(feed.trust(), feed.caughtUpAtMs(), config.maxStaleMs) }),
    });
    const close = (): Promise<void> => release().finally(() => admin.close());
    return { address: grpc.address, adminAddress: admin.address, ready, close };
  } catch (error) {
    await release();
    throw error;
  }
}

function openCache(config: AuthzConfig, db: Database, onRefreshError: (error: unknown) => void): RecordCache<KeyRecord> {
  return createRecordCache<KeyRecord>({
    max: config.cacheKeys,
    ttlMs: config.cacheTtlMs,
    refreshAheadMs: config.cacheTtlMs / 5,
    negativeMax: ABSENT_KEYS,
    negativeTtlMs: ABSENT_TTL_MS,
    maxLoads: MAX_LOADS,
    load: (hash) => withDeadline(findKeyByHash(db, hash), config.lookupTimeoutMs, 'the look-up of a key'),
    onRefreshError,
  });
}

function followKeys(
  databaseUrl: string,
  cache: RecordCache<KeyRecord>,
  told: AuthzMetrics,
  log: Logger,
): { feed: ChangeFeed; ready: Promise<void> } {
  let isCaughtUp = (): void => {};
  const ready = new Promise<void>((resolve) => {
    isCaughtUp = resolve;
  });
  const feed = followChanges({
    url: databaseUrl,
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
  return { feed, ready };
}

function databaseState(trust: Trust, caughtUpAtMs: number, maxStaleMs: number) {
  if (trust === 'listening') return { status: 'ok' as const };
  if (trust === 'polling') return { status: 'degraded' as const, detail: 'changes are polled: a revocation takes up to 2 s' };
  const ageMs = Date.now() - caughtUpAtMs;
  if (ageMs > maxStaleMs) return { status: 'down' as const, detail: 'the database is unreachable' };
  const left = Math.round((maxStaleMs - ageMs) / 1000);
  return { status: 'degraded' as const, detail: `the database is unreachable; cached keys go on for ${left} s` };
}

import { setTimeout as delay } from 'node:timers/promises';
import { createRecordCache, type RecordCache } from '@tollgate/cache/record-cache';
import type { Change } from '@tollgate/domain/change';
import type { KeyRecord } from '@tollgate/domain/judge-key';
import { findKeysByHash, listKeyHashes } from '@tollgate/postgres/api-keys';
import { type ChangeFeed, followChanges, type Trust } from '@tollgate/postgres/changes/change-feed';
import { type Database, openConnections, openDatabase } from '@tollgate/postgres/database';
import { startAdminServer } from '@tollgate/service-kit/admin-server';
import { withDeadline } from '@tollgate/service-kit/deadline';
import { createFailureLog } from '@tollgate/service-kit/failure-log';
import { type GrpcServer, startGrpcServer } from '@tollgate/service-kit/grpc-server';
import { grpcServing } from '@tollgate/service-kit/grpc-settings';
import { createLoadShedder } from '@tollgate/service-kit/load-shedder';
import { createLogger, type Logger } from '@tollgate/service-kit/log';
import { createMetrics } from '@tollgate/service-kit/metrics';
import { traceIdOf } from '@tollgate/service-kit/trace-context';
import { openTracing } from '@tollgate/service-kit/tracing';
import { VERSION } from '@tollgate/service-kit/version';
import { authorize } from './authorize.js';
import { createBatchedLookup } from './batched-lookup.js';
import type { AuthzConfig } from './config.js';
import { forgetChanged } from './forget-changed.js';
import { CHECK_PATH, extAuthz, type Outcome } from './grpc/ext-authz.js';
import { createKeyCache, type KeyCache } from './key-cache.js';
import { createKnownKeys, type KnownKeys } from './known-keys.js';
import { createLookupGate } from './lookup-gate.js';
import { type AuthzMetrics, createAuthzMetrics } from './metrics.js';
import { createMissBudget } from './miss-budget.js';

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
/** Calls that wait for a look-up at once: many callers share one, or each looks up another key. */
const MAX_WAITING_CALLS = 10_000;
/** Keys in one query. */
const MAX_KEYS_PER_QUERY = 500;
/** For hashes of no known key, which may have been made this instant: together never more than 50 in any second. */
const UNKNOWN_KEY_LOOKUPS = { perSecond: 40, burst: 10 };
const RELOAD_RETRY_MS = 1_000;
/** As long as Envoy waits for an answer: what a burst leaves for later than that is answered to nobody. */
const MAX_LATE_MS = 500;
/** Spreads Envoy's connections over new instances, and ends what a broken peer left behind. */
const CONNECTION_AGE_MS = 600_000;
const CLOSE_GRACE_MS = 5_000;
const TRUST_STATE: Record<Trust, number> = { listening: 0, polling: 1, unreachable: 2 };

/** Starts authz: it serves at once, and answers 503 to what it cannot judge yet. */
export async function startAuthzService(config: AuthzConfig, overrides: AuthzOverrides = {}): Promise<AuthzService> {
  const log = overrides.log ?? createLogger({ service: 'authz', level: config.logLevel });
  const metrics = createMetrics('authz');
  const tracing = await openTracing({ settings: config, service: 'authz', log, metrics });
  const db = openDatabase({
    url: config.databaseUrl,
    maxConnections: config.databaseConnections,
    keptConnections: config.databaseConnections,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    statementTimeoutMs: config.lookupTimeoutMs,
    applicationName: 'tollgate authz',
    onError: (error) => log.warn({ err: error }, 'a database connection was lost'),
  });
  // Without them keys can be judged all the same: they are then opened when they are needed.
  const opened = openConnections(db, config.databaseConnections).catch((error: unknown) => {
    log.warn({ err: error }, 'the connections to the database could not be opened yet');
  });
  const logFailure = createFailureLog(log);
  const known = createKnownKeys({
    listHashes: (afterHash, limit) => listKeyHashes(db, afterHash, limit),
    pause: () => delay(RELOAD_RETRY_MS, undefined, { ref: false }),
    onError: (error) => logFailure(error, 'reading the hashes of all keys', Date.now()),
  });
  const cache = openCache(config, db, (error) => logFailure(error, 'refresh', Date.now()));
  const told = createAuthzMetrics(metrics, { trustState: () => TRUST_STATE[feed.trust()], knownKeys: known.size });
  const feed = followKeys(config.databaseUrl, { cache, known }, told, log);
  const ready = Promise.all([feed.caughtUp, opened]).then(() => {});
  const keys = keysWhileTrusted(config, { cache, known, feed }, told);
  const shedder = createLoadShedder({
    maxInFlight: MAX_WAITING_CALLS,
    maxDelayMs: config.maxLoopDelayMs,
    maxLateMs: MAX_LATE_MS,
  });
  const check = extAuthz({
    shedder,
    authorize: (presented, nowMs, demand) => authorize(presented, keys, nowMs, demand),
    acceptsForeignKeys: config.acceptsForeignKeys,
    now: Date.now,
    onDecision(outcome, durationMs, call) {
      told.onDecision(outcome, durationMs);
      const failure = failureOf(outcome);
      if (failure !== undefined) logFailure(failure, CHECK_PATH, Date.now(), traceIdOf(call));
    },
  });

  let isClosing = false;
  let grpc: GrpcServer | undefined;
  const release = async (): Promise<void> => {
    isClosing = true;
    await grpc?.close(CLOSE_GRACE_MS);
    await tracing?.close();
    shedder.close();
    known.close();
    await feed.close();
    await db.close();
  };
  try {
    grpc = await startGrpcServer({
      ...grpcServing(config),
      listen: config.listen,
      methods: [tracing?.traced(check) ?? check],
      maxConnectionAgeMs: CONNECTION_AGE_MS,
      log,
      metrics,
    });
    // Until it can judge, another instance can do better.
    grpc.setServing(false);
    void ready.then(() => grpc?.setServing(true));
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

const MALFORMED_DEMAND = new Error('a route demands a malformed scope, so that no key passes: look at its context_extensions');

/** What operators must hear of. */
function failureOf(outcome: Outcome): unknown {
  if (outcome.kind === 'unavailable') return outcome.error;
  return 'missing' in outcome && outcome.missing.length === 0 ? MALFORMED_DEMAND : undefined;
}

function openCache(config: AuthzConfig, db: Database, onRefreshError: (error: unknown) => void): RecordCache<KeyRecord> {
  const lookUp = createBatchedLookup<KeyRecord>({
    findMany: (hashes) => withDeadline(findKeysByHash(db, hashes), config.lookupTimeoutMs, 'a look-up of keys'),
    maxBatch: MAX_KEYS_PER_QUERY,
    // One connection stays free for reading all hashes.
    maxRunning: Math.max(1, config.databaseConnections - 1),
    maxWaiting: MAX_WAITING_CALLS,
  });
  return createRecordCache<KeyRecord>({
    max: config.cacheKeys,
    ttlMs: config.cacheTtlMs,
    refreshAheadMs: config.cacheTtlMs / 5,
    negativeMax: ABSENT_KEYS,
    negativeTtlMs: ABSENT_TTL_MS,
    maxLoads: MAX_WAITING_CALLS,
    load: (hash) => withDeadline(lookUp(hash), config.lookupTimeoutMs, 'the look-up of a key'),
    onRefreshError,
  });
}

/** The keys in memory, as far as the feed of changes lets them be trusted, and the database behind them. */
function keysWhileTrusted(
  { maxStaleMs }: AuthzConfig,
  { cache, known, feed }: { cache: RecordCache<KeyRecord>; known: KnownKeys; feed: ChangeFeed },
  { onLookup }: AuthzMetrics,
): KeyCache {
  const isPushed = (): boolean => feed.trust() === 'listening';
  return createKeyCache({
    cache,
    trust: { isConnected: () => feed.trust() !== 'unreachable', caughtUpAtMs: feed.caughtUpAtMs },
    maxStaleMs,
    mayLookUp: createLookupGate({ known, budget: createMissBudget(UNKNOWN_KEY_LOOKUPS), isPushed }),
    onLookup,
  });
}

function followKeys(
  databaseUrl: string,
  keys: { cache: RecordCache<KeyRecord>; known: KnownKeys },
  told: AuthzMetrics,
  log: Logger,
): ChangeFeed {
  return followChanges({
    url: databaseUrl,
    applicationName: 'tollgate authz changes',
    onChange(change, atMs) {
      forgetChanged(keys.cache, change);
      noteKnown(keys.known, change);
      if (atMs !== undefined) told.onChangeApplied(Date.now() - atMs);
    },
    onTrust: (trust) => log.info({ trust }, 'the trust in cached keys has changed'),
    onError: (error) => log.warn({ err: error }, 'changes cannot be followed'),
  });
}

/** A key that changed exists; what cannot be told one by one is read anew. */
function noteKnown(known: KnownKeys, { kind, subject }: Change): void {
  if (kind === 'api_key') known.add(subject);
  else if (kind === 'reload') known.reload();
}

function databaseState(trust: Trust, caughtUpAtMs: number, maxStaleMs: number) {
  if (trust === 'listening') return { status: 'ok' as const };
  if (trust === 'polling') return { status: 'degraded' as const, detail: 'changes are polled: a revocation takes up to 2 s' };
  const ageMs = Date.now() - caughtUpAtMs;
  if (ageMs > maxStaleMs) return { status: 'down' as const, detail: 'the database is unreachable' };
  const left = Math.round((maxStaleMs - ageMs) / 1000);
  return { status: 'degraded' as const, detail: `the database is unreachable; cached keys go on for ${left} s` };
}

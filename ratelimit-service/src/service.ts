import { setTimeout as delay } from 'node:timers/promises';
import { createRecordCache, type RecordCache } from '@tollgate/cache/record-cache';
import { type FollowedRules, followRules, RulesRefused } from '@tollgate/descriptor-limits/follow-rules';
import type { OrganizationLimits } from '@tollgate/domain/limits';
import { appliedLimits } from '@tollgate/limit-store/applied-limits';
import { decide } from '@tollgate/limit-store/decide';
import { createDegradingLimitStore, type DegradingLimitStore } from '@tollgate/limit-store/degrading-limit-store';
import { counterActions } from '@tollgate/limit-store/http/counter-actions';
import type { LimitStore, TakeRequest } from '@tollgate/limit-store/limit-store';
import { createMemoryLimitStore } from '@tollgate/limit-store/memory/memory-limit-store';
import { type ChangeFeed, followChanges } from '@tollgate/postgres/changes/change-feed';
import { type Database, openConnections, openDatabase } from '@tollgate/postgres/database';
import { findOrganizationLimits } from '@tollgate/postgres/limits';
import { startAdminServer } from '@tollgate/service-kit/admin-server';
import { withDeadline } from '@tollgate/service-kit/deadline';
import { createFailureLog } from '@tollgate/service-kit/failure-log';
import { type GrpcServer, startGrpcServer } from '@tollgate/service-kit/grpc-server';
import { grpcServing } from '@tollgate/service-kit/grpc-settings';
import { createLogger, type Logger } from '@tollgate/service-kit/log';
import { createMetrics, type Metrics } from '@tollgate/service-kit/metrics';
import { SettingsError } from '@tollgate/service-kit/settings';
import { traceIdOf } from '@tollgate/service-kit/trace-context';
import { openTracing } from '@tollgate/service-kit/tracing';
import { VERSION } from '@tollgate/service-kit/version';
import type { RateLimitConfig } from './config.js';
import { createFindLimits, type FindLimits } from './find-limits.js';
import { forgetChanged } from './forget-changed.js';
import { type RateLimitOptions, rateLimit, SHOULD_RATE_LIMIT_PATH } from './grpc/rate-limit.js';
import { type AnswerByRules, answerByRules } from './grpc/rule-limit.js';
import { databaseState, rulesState, storeState } from './health.js';
import { createRateLimitMetrics, type RateLimitMetrics } from './metrics.js';
import { createRuleMetrics, type RuleMetrics } from './rule-metrics.js';

export interface RateLimitService {
  address: string;
  adminAddress: string;
  /** Resolves when the first changes were read, and a connection to database and store has answered or was waited for long enough. */
  ready: Promise<void>;
  close(): Promise<void>;
}

export interface RateLimitOverrides {
  log?: Logger;
}

const CONNECT_TIMEOUT_MS = 1_000;
/** Pushed changes keep limits true; this age is the belt to those braces. */
const LIMITS_TTL_MS = 15 * 60_000;
const STORE_WAIT_MS = 2_000;
const STORE_ASK_EVERY_MS = 25;
const ABSENT_TTL_MS = 5_000;
const ABSENT_ORGANIZATIONS = 10_000;
const MAX_LOADS = 1_000;
/** Calls that wait for limits or for the store at once. */
const MAX_WAITING_CALLS = 10_000;
/** Spreads Envoy's connections over new instances, and ends what a broken peer left behind. */
const CONNECTION_AGE_MS = 600_000;
const CLOSE_GRACE_MS = 5_000;

/**
 * Starts the rate limiter: it serves at once, and lets through (fail open, marked) what it cannot judge yet. Throws a
 * SettingsError where its rules are refused.
 */
export async function startRateLimitService(
  config: RateLimitConfig,
  overrides: RateLimitOverrides = {},
): Promise<RateLimitService> {
  const log = overrides.log ?? createLogger({ service: 'ratelimit', level: config.logLevel });
  const metrics = createMetrics('ratelimit');
  const tracing = await openTracing({ settings: config, service: 'ratelimit', log, metrics });
  const logFailure = createFailureLog(log);
  const rules = config.rulesPath === undefined ? undefined : await openRules(config.rulesPath, log, metrics);
  const organizations = openOrganizations(config, log, (error) => logFailure(error, 'refresh', Date.now()));
  const store = await openStore(config, log);
  const told = createRateLimitMetrics(metrics, store.isDegraded);
  const shouldRateLimit = rateLimit({
    now: Date.now,
    byRules: rules && createByRules(rules, store, told),
    headers: config.headers,
    decide: createDecide(organizations?.findLimits ?? noOrganizations, store, told),
    onDecision(outcome, call) {
      told.onDecision(outcome);
      if (outcome.kind === 'failed') logFailure(outcome.error, SHOULD_RATE_LIMIT_PATH, Date.now(), traceIdOf(call));
    },
  });

  let isClosing = false;
  let grpc: GrpcServer | undefined;
  const release = async (): Promise<void> => {
    isClosing = true;
    await grpc?.close(CLOSE_GRACE_MS);
    await tracing?.close();
    rules?.followed.close();
    await organizations?.close();
    await store.close();
  };
  try {
    const limits = { maxInFlight: MAX_WAITING_CALLS, maxConnectionAgeMs: CONNECTION_AGE_MS };
    grpc = await startGrpcServer({
      listen: config.listen,
      methods: [tracing?.traced(shouldRateLimit) ?? shouldRateLimit],
      log,
      metrics,
      ...grpcServing(config),
      ...limits,
    });
    const admin = await startAdminServer({
      listen: config.adminListen,
      metrics,
      version: VERSION,
      log,
      isReady: () => !isClosing,
      actions: config.adminToken === undefined ? undefined : { token: config.adminToken, byPath: counterActions(store) },
      components: async () => ({
        ...(organizations && { database: databaseState(organizations.isConnected()) }),
        ...(rules && { rules: rulesState(rules.followed.problems(), rules.followed.ruleCount(), rules.followed.rules().size) }),
        store: storeState(store.isDegraded(), config.storeDown),
      }),
    });
    const close = (): Promise<void> => release().finally(() => admin.close());
    const ready = Promise.all([organizations?.ready, reach(store)]).then(() => {});
    return { address: grpc.address, adminAddress: admin.address, ready, close };
  } catch (error) {
    await release();
    throw error;
  }
}

function createDecide(findLimits: FindLimits, store: DegradingLimitStore, told: RateLimitMetrics): RateLimitOptions['decide'] {
  return async ({ organizationId, keyId, cost, tightening }, nowMs) => {
    const found = await findLimits(organizationId, nowMs);
    if (found === undefined) return { kind: 'unlimited' };
    const applied = appliedLimits(found, keyId, tightening);
    const startMs = performance.now();
    const taken = await store.take({ organizationId, cost, limits: applied.store });
    told.onStoreAnswer(performance.now() - startMs, taken.isDegraded);
    return decide(applied.shown, taken);
  };
}

function openCache(
  config: RateLimitConfig,
  db: Database,
  onRefreshError: (error: unknown) => void,
): RecordCache<OrganizationLimits> {
  return createRecordCache<OrganizationLimits>({
    max: config.organizations,
    ttlMs: LIMITS_TTL_MS,
    refreshAheadMs: LIMITS_TTL_MS / 5,
    negativeMax: ABSENT_ORGANIZATIONS,
    negativeTtlMs: ABSENT_TTL_MS,
    maxLoads: MAX_LOADS,
    load: (id) => withDeadline(findOrganizationLimits(db, id), config.lookupTimeoutMs, 'the look-up of limits'),
    onRefreshError,
  });
}

/** The rules of RATELIMIT_CONFIG, followed as they change. */
async function openRules(path: string, log: Logger, metrics: Metrics): Promise<Rules> {
  const followed = await followRules({
    path,
    onLoaded(ruleCount) {
      told.onReload('loaded');
      log.info({ ruleCount }, 'new rules are in force');
    },
    onKept(problems) {
      told.onReload('refused');
      log.error({ problems }, 'new rules are refused: the last good ones stay in force');
    },
  }).catch((error: unknown) => {
    throw error instanceof RulesRefused ? new SettingsError(error.problems.map((each) => `RATELIMIT_CONFIG: ${each}`)) : error;
  });
  const told = createRuleMetrics(metrics, followed.ruleCount);
  return { followed, told };
}

interface Rules {
  followed: FollowedRules;
  told: RuleMetrics;
}

function createByRules({ followed, told }: Rules, store: DegradingLimitStore, answered: RateLimitMetrics): AnswerByRules {
  const take = async (request: TakeRequest) => {
    const startMs = performance.now();
    const taken = await store.take(request);
    answered.onStoreAnswer(performance.now() - startMs, taken.isDegraded);
    return taken;
  };
  return answerByRules({ rules: followed.rules, take, now: Date.now, told });
}

/** The limits of organizations, which need the database. */
interface Organizations {
  findLimits: FindLimits;
  isConnected(): boolean;
  /** The first changes were read, and a connection has answered or was waited for long enough. */
  ready: Promise<void>;
  close(): Promise<void>;
}

function openOrganizations(
  config: RateLimitConfig,
  log: Logger,
  onRefreshError: (error: unknown) => void,
): Organizations | undefined {
  const { databaseUrl } = config;
  if (databaseUrl === undefined) return undefined;
  const db = openDatabase({
    url: databaseUrl,
    maxConnections: config.databaseConnections,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    statementTimeoutMs: config.lookupTimeoutMs,
    applicationName: 'tollgate ratelimit',
    onError: (error) => log.warn({ err: error }, 'a database connection was lost'),
  });
  const cache = openCache(config, db, onRefreshError);
  const changes = followLimits(databaseUrl, cache, log);
  return {
    findLimits: createFindLimits(cache),
    isConnected: () => changes.trust() !== 'unreachable',
    // Envoy waits 50 ms for us: the first caller should not be the one who pays for opening connections.
    ready: changes.caughtUp
      .then(() => openConnections(db, 1))
      .then(
        () => {},
        () => {},
      ),
    async close() {
      await changes.close();
      await db.close();
    },
  };
}

/** Without a database nobody knows them, and a call for one is a mistake in the settings, not somebody without limits. */
const noOrganizations: FindLimits = () => {
  throw new Error('the domain tollgate needs DATABASE_URL, which is not set: only the rules of RATELIMIT_CONFIG are served');
};

function followLimits(databaseUrl: string, cache: RecordCache<OrganizationLimits>, log: Logger): ChangeFeed {
  return followChanges({
    url: databaseUrl,
    applicationName: 'tollgate ratelimit changes',
    onChange: (change) => forgetChanged(cache, change),
    onTrust: (trust) => log.info({ trust }, 'the trust in cached limits has changed'),
    onError: (error) => log.warn({ err: error }, 'changes cannot be followed'),
  });
}

async function reach(store: LimitStore): Promise<void> {
  const endMs = performance.now() + STORE_WAIT_MS;
  while (performance.now() < endMs) {
    const isThere = await store.ping().then(
      () => true,
      () => false,
    );
    if (isThere) return;
    await delay(STORE_ASK_EVERY_MS);
  }
}

async function openStore(config: RateLimitConfig, log: Logger): Promise<DegradingLimitStore> {
  return createDegradingLimitStore(await openPrimaryStore(config, log), {
    mode: config.storeDown,
    instances: config.instances,
    onChange: (isDegraded, cause) =>
      isDegraded ? log.warn({ err: cause }, 'the limit store is gone') : log.info('the limit store is back'),
  });
}

async function openPrimaryStore(config: RateLimitConfig, log: Logger): Promise<LimitStore> {
  if (config.store === 'redis' && config.redis !== undefined) {
    // ioredis is loaded only where there is a Redis, as it makes a start longer.
    const { createRedisLimitStore } = await import('@tollgate/limit-store/redis/redis-limit-store');
    return createRedisLimitStore({
      ...config.redis,
      deadlineMs: config.storeTimeoutMs,
      onConnection: (state, cause) => log.info({ state, ...(cause && { err: cause }) }, 'the connection to Redis has changed'),
    });
  }
  const quotas = config.dataDir && {
    folder: config.dataDir,
    onProblem: (problem: string, err: unknown) => log.error({ err }, problem),
  };
  return createMemoryLimitStore(quotas ? { quotas } : {});
}

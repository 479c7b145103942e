import type { ClusterFacts, RedisFacts } from '@tollgate/limit-store/redis/redis-facts';
import type { RedisServer } from '@tollgate/service-kit/redis-settings';
import { type Finding, fail, ok, warn } from './finding.js';

const OLDEST_VERSION = [6, 2] as const;
const ALL_SLOTS = 16_384;
const GONE =
  'Start Redis, and correct REDIS_URL and the other REDIS_ settings if its address, master name, password or CA is another.';
const PERSISTENCE = {
  'append-only': 'its data is written to disk (append-only file)',
  snapshots: 'its data is written to disk by snapshots only',
  none: 'nothing is written to disk',
} as const;

/** Whether the limits are safe there: that it answers, keeps what it is told, and is the one to be told. */
export async function checkRedis(server: RedisServer): Promise<Finding[]> {
  // Loaded where it is needed, as the other commands have no use for it.
  const { surveyRedis } = await import('@tollgate/limit-store/redis/redis-facts');
  const survey = await surveyRedis(server).catch((error: Error) => error.message);
  if (typeof survey === 'string') return [fail('redis', survey, GONE)];
  const { masters, cluster } = survey;
  const findings = cluster === undefined ? [] : [clusterFinding(cluster, masters.size)];
  for (const [node, facts] of masters) {
    const name = node === '' ? 'redis' : `redis ${node}`;
    if ('problem' in facts) {
      findings.push(
        fail(name, facts.problem, 'Start this node of the cluster, or let a replica take its place: CLUSTER FAILOVER.'),
      );
      continue;
    }
    findings.push(
      versionFinding(name, facts),
      evictionFinding(name, facts),
      persistenceFinding(name, facts),
      roleFinding(name, facts),
    );
  }
  return findings;
}

function versionFinding(name: string, { version }: RedisFacts): Finding {
  const detail = `Redis ${version ?? 'of an unknown version'} answers`;
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  const isOld = major < OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor < OLDEST_VERSION[1]);
  if (version !== undefined && isOld) return fail(name, detail, `Use Redis ${OLDEST_VERSION.join('.')} or later.`);
  return ok(name, detail);
}

function evictionFinding(name: string, { maxmemoryPolicy }: RedisFacts): Finding {
  const check = `${name} eviction`;
  if (maxmemoryPolicy === 'noeviction') return ok(check, 'maxmemory-policy noeviction');
  if (maxmemoryPolicy === undefined)
    return warn(check, 'its maxmemory-policy is unknown', 'Make sure that its maxmemory-policy is noeviction.');
  const nextStep = 'Set maxmemory-policy to noeviction: otherwise quotas vanish when memory is short.';
  return fail(check, `maxmemory-policy ${maxmemoryPolicy}`, nextStep);
}

function persistenceFinding(name: string, { persistence }: RedisFacts): Finding {
  const check = `${name} persistence`;
  switch (persistence) {
    case 'append-only':
      return ok(check, PERSISTENCE[persistence]);
    case 'snapshots':
      return warn(check, PERSISTENCE[persistence], 'Set appendonly yes: a crash forgets what was used since the last snapshot.');
    case 'none':
      return warn(
        check,
        PERSISTENCE[persistence],
        'Set appendonly yes: otherwise day and month quotas begin at 0 when it restarts.',
      );
    default:
      return warn(check, 'it does not tell whether its data is written to disk', 'Look at the settings of your provider.');
  }
}

function roleFinding(name: string, { role }: RedisFacts): Finding {
  const check = `${name} role`;
  if (role === 'master') return ok(check, 'it is the master');
  if (role === undefined) return warn(check, 'its role is unknown', 'Make sure that it is no replica: those take no writes.');
  return fail(
    check,
    `it is a ${role}, which takes no writes`,
    'Let REDIS_URL name the master, or the Sentinels: redis+sentinel://….',
  );
}

function clusterFinding({ state, slotsServed }: ClusterFacts, masters: number): Finding {
  const detail = `cluster state ${state ?? 'unknown'}, ${slotsServed} of ${ALL_SLOTS} slots on ${masters} masters`;
  if (state === 'ok' && slotsServed === ALL_SLOTS) return ok('redis cluster', detail);
  const nextStep =
    'Run redis-cli --cluster check, and --cluster fix where it says so: organizations in a slot without a master are not counted together.';
  return fail('redis cluster', detail, nextStep);
}

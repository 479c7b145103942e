import { type Finding, fail, ok, warn } from './finding.js';

export async function checkRedis(url: string): Promise<Finding> {
  // Loaded where it is needed, as the other commands have no use for it.
  const { readRedisFacts } = await import('@tollgate/limit-store/redis/redis-facts');
  const { version, maxmemoryPolicy } = await readRedisFacts(url);
  const detail = `Redis ${version ?? 'of an unknown version'} answers, maxmemory-policy ${maxmemoryPolicy ?? 'unknown'}`;
  if (maxmemoryPolicy === 'noeviction') return ok('redis', detail);
  if (maxmemoryPolicy === undefined) return warn('redis', detail, 'Make sure that its maxmemory-policy is noeviction.');
  return fail('redis', detail, 'Set maxmemory-policy to noeviction: otherwise quotas vanish when memory is short.');
}

import type { RecordCache } from '@tollgate/cache/record-cache';
import type { Change } from '@tollgate/domain/change';
import type { OrganizationLimits } from '@tollgate/domain/limits';

/**
 * Has what a change may have made wrong read again before it is used. It is expired and not dropped: should the database not
 * answer just then, the last known limits are better than none. A plan may be any organization's, so it expires all.
 */
export function forgetChanged(cache: RecordCache<OrganizationLimits>, { kind, subject }: Change): void {
  if (kind === 'organization' || kind === 'limits') cache.expire(subject);
  else if (kind === 'plan' || kind === 'reload') cache.expire();
}

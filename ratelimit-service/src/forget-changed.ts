import type { RecordCache } from '@tollgate/cache/record-cache';
import type { OrganizationLimits } from '@tollgate/domain/limits';

/** A change of organizations, plans or limits, as the change feed tells it. */
export interface ChangedSubject {
  kind: 'organization' | 'plan' | 'api_key' | 'limits' | 'reload';
  /** Of an organization and of limits: the organization's id. */
  subject: string;
}

/**
 * Has what a change may have made wrong read again before it is used. It is expired and not dropped: should the database not
 * answer just then, the last known limits are better than none. A plan may be any organization's, so it expires all.
 */
export function forgetChanged(cache: RecordCache<OrganizationLimits>, { kind, subject }: ChangedSubject): void {
  if (kind === 'organization' || kind === 'limits') cache.expire(subject);
  else if (kind === 'plan' || kind === 'reload') cache.expire();
}

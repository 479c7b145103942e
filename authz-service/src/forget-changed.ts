import type { RecordCache } from '@tollgate/cache/record-cache';
import type { Change } from '@tollgate/domain/change';
import type { KeyRecord } from '@tollgate/domain/judge-key';

/** Drops from the cache what a change may have made wrong. Plans and limits are not authz's to know. */
export function forgetChanged(cache: RecordCache<KeyRecord>, { kind, subject }: Change): void {
  if (kind === 'api_key') cache.drop(subject);
  else if (kind === 'organization') cache.dropWhere((key) => key.organizationId === subject);
  else if (kind === 'reload') cache.clear();
}

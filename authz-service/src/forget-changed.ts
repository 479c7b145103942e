import type { RecordCache } from '@tollgate/cache/record-cache';
import type { KeyRecord } from '@tollgate/domain/judge-key';

/** A change of keys or organizations, as the change feed tells it. */
export interface ChangedSubject {
  kind: 'organization' | 'plan' | 'api_key' | 'limits' | 'reload';
  /** Of a key: its hash in hex. Of an organization: its id. */
  subject: string;
}

/** Drops from the cache what a change may have made wrong. Plans and limits are not authz's to know. */
export function forgetChanged(cache: RecordCache<KeyRecord>, { kind, subject }: ChangedSubject): void {
  if (kind === 'api_key') cache.drop(subject);
  else if (kind === 'organization') cache.dropWhere((key) => key.organizationId === subject);
  else if (kind === 'reload') cache.clear();
}

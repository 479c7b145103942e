export type ChangeKind = 'organization' | 'plan' | 'api_key' | 'limits' | 'reload';

/** Something that caches may hold has changed. */
export interface Change {
  kind: ChangeKind;
  /** Of an organization, and of its limits: its id. Of a plan: its name. Of a key: its hash in hex. Of a reload: ''. */
  subject: string;
}

/** What cannot be told one by one: whatever was read before must be read again. */
export const RELOAD: Change = { kind: 'reload', subject: '' };

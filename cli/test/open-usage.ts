import { randomUUID } from 'node:crypto';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import type { DeadLetter } from '@tollgate/postgres/dead-letters';
import { storeUsage } from '@tollgate/postgres/usage-store';
import { freshDatabase } from '@tollgate/testing/database';

export interface OpenUsage {
  url: string;
  db: Database;
  store(events: readonly UsageEvent[], deadLetters?: readonly DeadLetter[]): Promise<void>;
  close(): Promise<void>;
}

/** A database of its own, and a way to store usage in it. */
export async function openUsage(): Promise<OpenUsage> {
  const fresh = await freshDatabase();
  const options = { url: fresh.url, maxConnections: 1, connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 };
  const db = openDatabase({ ...options, applicationName: 'test', onError: () => {} });
  return {
    url: fresh.url,
    db,
    async store(events, deadLetters = []) {
      const place = { group: 'writer', logId: randomUUID(), topic: 'usage-events', partition: 0, startOffset: 0n };
      await storeUsage(db, { ...place, nextOffset: BigInt(events.length + deadLetters.length), events, deadLetters });
    },
    async close() {
      await db.close();
      await fresh.close();
    },
  };
}

export function anEvent(organizationId: string, parts: Partial<UsageEvent> = {}): UsageEvent {
  return {
    v: 1,
    event_id: randomUUID().replaceAll('-', ''),
    time: `${new Date().toISOString().slice(0, -1)}000Z`,
    request_id: 'r',
    organization_id: organizationId,
    api_key_id: '0f8fad5b-d9cb-469f-a165-70867728950e',
    environment: 'live',
    method: 'GET',
    path: '/',
    route: 'orders',
    status_code: 200,
    response_time_ms: 10,
    request_bytes: 5,
    response_bytes: 100,
    billable: true,
    units: 2,
    origin: 'upstream',
    ...parts,
  };
}

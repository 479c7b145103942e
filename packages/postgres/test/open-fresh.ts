import { randomUUID } from 'node:crypto';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import { createOrganization, type Organization } from '@tollgate/postgres/organizations';
import { freshDatabase } from '@tollgate/testing/database';
import { onTestFinished } from 'vitest';

/** A migrated database for one test, gone when the test is. */
export async function openFresh(): Promise<{ db: Database; url: string }> {
  const fresh = await freshDatabase();
  const db = openUrl(fresh.url);
  onTestFinished(async () => {
    await db.close();
    await fresh.close();
  });
  return { db, url: fresh.url };
}

export function openUrl(url: string, maxConnections = 4): Database {
  return openDatabase({
    url,
    maxConnections,
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 20_000,
    applicationName: 'test',
    onError: () => {},
  });
}

export async function count(db: Database, table: string): Promise<number> {
  const [row] = await db.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
  return row?.count ?? 0;
}

export function anOrganization(db: Database, name = 'Acme', plan = 'basic'): Promise<Organization> {
  return createOrganization(db, { name, plan, billingAnchorDay: 1 }, 'tester');
}

export function anEvent(parts: Partial<UsageEvent> = {}): UsageEvent {
  return {
    v: 1,
    event_id: randomUUID().replaceAll('-', ''),
    time: '2026-11-23T09:59:48.123456Z',
    request_id: 'request-1',
    organization_id: '11111111-1111-4111-8111-111111111111',
    api_key_id: '22222222-2222-4222-8222-222222222222',
    environment: 'live',
    method: 'GET',
    path: '/v1/orders',
    route: 'orders',
    status_code: 200,
    response_time_ms: 10,
    request_bytes: 100,
    response_bytes: 1000,
    billable: true,
    units: 1,
    origin: 'upstream',
    ...parts,
  };
}

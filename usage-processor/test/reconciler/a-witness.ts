import { randomUUID } from 'node:crypto';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import { freshDatabase } from '@tollgate/testing/database';
import { onTestFinished } from 'vitest';
import { readConfig } from '../../src/reconciler/config.js';
import { endedRequestFrom } from '../../src/reconciler/file/ended-request.js';
import { type ReconcilerOverrides, startReconciler } from '../../src/reconciler/service.js';
import { usageEventFrom } from '../../src/usage-event.js';
import { readConfig as readWriterConfig } from '../../src/writer/config.js';
import { startWriter } from '../../src/writer/service.js';

export const NODE = 'edge-1';
/** Long over, so that nothing waits for a minute to end. */
export const NOON_MS = Math.floor(Date.now() / 3_600_000 - 2) * 3_600_000;
const GRACE = '100ms';

export interface Witness {
  folder: string;
  file: string;
  databaseUrl: string;
  db: Database;
  reconciler(overrides?: ReconcilerOverrides, env?: Record<string, string>): ReturnType<typeof startReconciler>;
  writer(): ReturnType<typeof startWriter>;
  storedIds(organizationId: string): Promise<string[]>;
  kept(organizationId: string): Promise<KeptMinute[]>;
}

export interface KeptMinute {
  minute: Date;
  requests: number;
  recorded: number;
  replayed: number;
  dead: number;
}

/** A database, a folder and a file log for one test. */
export async function aWitness(): Promise<Witness> {
  const folder = await mkdtemp(join(tmpdir(), 'witness-'));
  const fresh = await freshDatabase();
  const options = {
    url: fresh.url,
    maxConnections: 2,
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 20_000,
    applicationName: 'test',
  };
  const db = openDatabase({ ...options, onError: () => {} });
  onTestFinished(async () => {
    await db.close();
    await fresh.close();
    await rm(folder, { recursive: true, force: true });
  });
  const file = join(folder, 'usage.jsonl');
  const common = { DATABASE_URL: fresh.url, ADMIN_LISTEN: '127.0.0.1:0', DATA_DIR: folder, LOG_LEVEL: 'silent' };
  return {
    ...{ folder, file, db, databaseUrl: fresh.url },
    reconciler: async (overrides = {}, env = {}) => {
      const settings = { ...common, USAGE_FILE: file, USAGE_NODE_ID: NODE, USAGE_GRACE: GRACE, ...env };
      return closedLater(await startReconciler(readConfig(settings), overrides));
    },
    writer: async () => closedLater(await startWriter(readWriterConfig(common))),
    storedIds: async (organizationId) => {
      const rows = await db.query<{ id: string }>(
        `SELECT replace(event_id::text, '-', '') AS id FROM usage_events WHERE organization_id = $1 ORDER BY 1`,
        [organizationId],
      );
      return rows.map(({ id }) => id);
    },
    kept: (organizationId) =>
      db.query<KeptMinute>(
        `SELECT minute, requests::int, recorded::int, replayed::int, dead_lettered::int AS dead FROM usage_witness
         WHERE organization_id = $1 ORDER BY minute`,
        [organizationId],
      ),
  };
}

export function closedLater<Service extends { close(): Promise<void> }>(service: Service): Service {
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= service.close();
    return closing;
  };
  onTestFinished(close);
  return { ...service, close };
}

/** A line as Envoy writes it, of a request that began so many milliseconds after noon. */
export function aLine(organizationId: string, atMs: number, changes: Record<string, unknown> = {}): string {
  const id = randomUUID();
  return JSON.stringify({
    ...{
      content_type: null,
      decision: 'allowed',
      details: 'via_upstream',
      duration_ms: 3,
      environment: 'live',
      first_byte_ms: 2,
    },
    ...{ flags: '-', grpc_status: null, grpc_status_header: null, key_id: randomUUID(), limit: null, method: 'GET' },
    ...{
      organization_id: organizationId,
      path: '/orders',
      protocol: 'HTTP/1.1',
      request_bytes: 0,
      request_id: id,
      response_bytes: 8,
    },
    ...{
      route: 'orders',
      sent_ns: 3_141_592,
      start_time: `${((NOON_MS + atMs) / 1000).toFixed(3)}000`,
      status_code: 200,
      stream_id: id,
    },
    units: null,
    ...changes,
  });
}

/** The event that the stream and the file make of the line. */
export function eventOfLine(line: string): UsageEvent {
  const request = endedRequestFrom(line, NODE);
  if (request === undefined) throw new Error('not a line');
  const outcome = usageEventFrom(request, { path: 'full', identityNamespaces: ['envoy.filters.http.ext_authz'] });
  if (outcome.kind !== 'event') throw new Error(`no event: ${outcome.reason}`);
  return outcome.event;
}

export async function write(file: string, lines: readonly string[]): Promise<void> {
  await appendFile(file, lines.map((line) => `${line}\n`).join(''));
}

export const sortedIds = (lines: readonly string[]) => lines.map((line) => eventOfLine(line).event_id).sort();

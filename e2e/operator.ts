import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { apiKeyEnvironment, apiKeyPrefix, HASH_VERSION, hashApiKey } from '@tollgate/domain/api-key';
import { createApiKey } from '@tollgate/postgres/api-keys';
import { type Database, openDatabase } from '@tollgate/postgres/database';
import type { LimitsPatch } from '@tollgate/postgres/limit-columns';
import { setLimits } from '@tollgate/postgres/limits';
import { createOrganization } from '@tollgate/postgres/organizations';
import { type Gateway, inheritedEnvironment, PROJECT } from './gateway.js';

const CLI = join(PROJECT, 'cli', 'bin', 'tollgate.js');
const COMMAND_DEADLINE_MS = 30_000;
const ACTOR = 'e2e';
let organizations = 0;

export interface StoredEvent {
  event_id: string;
  request_id: string;
  organization_id: string;
  api_key_id: string;
  environment: string;
  method: string;
  path: string;
  status_code: number;
  billable: boolean;
  units: number;
  origin: string;
  request_bytes: number;
  response_bytes: number;
  response_time_ms: number;
}

export interface Key {
  organizationId: string;
  keyId: string;
  secret: string;
}

/** The person who runs the gateway. What tests need beforehand is made quickly, what they test goes through the command. */
export interface Operator {
  /** Runs `npx tollgate …` as one would in the gateway's folder, and returns what it prints as JSON. */
  tollgate(...args: string[]): Promise<unknown>;
  createOrganization(plan?: string): Promise<string>;
  createKey(organizationId: string, options?: { environment?: 'live' | 'test'; expiresAt?: Date }): Promise<Key>;
  /** Stores a key that was made elsewhere. */
  importKey(organizationId: string, secret: string): Promise<void>;
  /** A new organization with a key. */
  newcomer(plan?: string): Promise<Key>;
  setLimits(organizationId: string, limits: LimitsPatch, keyId?: string): Promise<void>;
  /** Stored usage of an organization, oldest first; of all organizations where none is named. */
  usage(organizationId?: string): Promise<StoredEvent[]>;
  query: Database['query'];
  close(): Promise<void>;
}

export function operate(gateway: Pick<Gateway, 'databaseUrl' | 'folder'>): Operator {
  const db = openDatabase({
    url: gateway.databaseUrl,
    maxConnections: 2,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 10_000,
    applicationName: ACTOR,
    onError: () => {},
  });
  const operator: Operator = {
    tollgate: (...args) => runCommand(gateway.folder, args),
    async createOrganization(plan = 'enterprise') {
      organizations++;
      const name = `Organization ${process.pid}-${organizations}`;
      return (await createOrganization(db, { name, plan, billingAnchorDay: 1 }, ACTOR)).id;
    },
    async createKey(organizationId, { environment = 'live', expiresAt } = {}) {
      const expiry = expiresAt === undefined ? {} : { expiresAt };
      const wanted = { organizationId, name: 'e2e', environment, scopes: [], createdBy: ACTOR, ...expiry };
      const { key, secret } = await createApiKey(db, wanted, ACTOR);
      return { organizationId, keyId: key.id, secret };
    },
    async importKey(organizationId, secret) {
      await db.query(
        `INSERT INTO api_keys (organization_id, name, environment, key_hash, hash_version, prefix, created_by)
         VALUES ($1, 'imported', $2, $3, $4, $5, $6)`,
        [organizationId, apiKeyEnvironment(secret), hashApiKey(secret), HASH_VERSION, apiKeyPrefix(secret), ACTOR],
      );
    },
    newcomer: async (plan) => operator.createKey(await operator.createOrganization(plan)),
    async setLimits(organizationId, limits, keyId) {
      await setLimits(db, keyId === undefined ? { organizationId } : { organizationId, keyId }, limits, ACTOR);
    },
    usage: (organizationId) =>
      db.query<StoredEvent>(
        `SELECT event_id, request_id, organization_id, api_key_id, environment, method, path, status_code, billable, units, origin,
           request_bytes::int, response_bytes::int, response_time_ms
         FROM usage_events WHERE $1::uuid IS NULL OR organization_id = $1 ORDER BY time`,
        [organizationId ?? null],
      ),
    query: db.query,
    close: () => db.close(),
  };
  return operator;
}

async function runCommand(folder: string, args: readonly string[]): Promise<unknown> {
  const env = { ...inheritedEnvironment(), DATA_DIR: folder };
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...args, '-o', 'json', '--yes'], {
    cwd: PROJECT,
    env,
    timeout: COMMAND_DEADLINE_MS,
  });
  return JSON.parse(stdout);
}

import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readConfig as readAuthzConfig } from '@tollgate/authz-service/config';
import { startAuthzService } from '@tollgate/authz-service/service';
import { generateApiKey } from '@tollgate/domain/api-key';
import { startEnvoy } from '@tollgate/embedded/envoy-process';
import type { GatewayRoute } from '@tollgate/envoy-config/options';
import { renderEnvoyConfig } from '@tollgate/envoy-config/render-envoy-config';
import { createApiKey } from '@tollgate/postgres/api-keys';
import { openDatabase } from '@tollgate/postgres/database';
import { createOrganization } from '@tollgate/postgres/organizations';
import { readConfig as readRateLimitConfig } from '@tollgate/ratelimit-service/config';
import { startRateLimitService } from '@tollgate/ratelimit-service/service';
import { createLogger } from '@tollgate/service-kit/log';
import { freshDatabase } from '@tollgate/testing/database';
import { envoyPath } from '@tollgate/testing/envoy';
import { newRunFolder } from '@tollgate/testing/run-environment';
import { until } from '@tollgate/testing/until';
import { readConfig as readCollectorConfig } from '@tollgate/usage-processor/collector/config';
import { startCollector } from '@tollgate/usage-processor/collector/service';
import { readConfig as readWriterConfig } from '@tollgate/usage-processor/writer/config';
import { startWriter } from '@tollgate/usage-processor/writer/service';
import { startGateway } from '../gateway.js';
import { type RecordingUpstream, startRecordingUpstream } from './recording-upstream.js';
import type { KeyName } from './spoofing-case.js';

export interface TestKey {
  secret: string;
  organizationId: string;
  keyId: string;
  plan: string;
}

/** A gateway, an upstream that keeps all that it hears, and keys. */
export interface World {
  gatewayUrl: string;
  adminUrl: string;
  databaseUrl: string;
  /** Where its files are: logs, events, Envoy's configuration. */
  folder: string;
  /** Health and metrics of each service. */
  services: readonly string[];
  upstream: RecordingUpstream;
  keys: Readonly<Record<KeyName, TestKey>>;
  /** What it has printed or logged. */
  output(): string;
  close(): Promise<void>;
}

/** The product as its user starts it: every path leads to the upstream, with a key. */
export async function startStandaloneWorld(): Promise<World> {
  const upstream = await startRecordingUpstream();
  const gateway = await startGateway({ env: { UPSTREAM_URL: upstream.url, LOG_LEVEL: 'debug' } });
  const file = await gateway.gatewayFile();
  return {
    ...gateway,
    services: Object.values(file?.services ?? {}),
    upstream,
    keys: await makeKeys(gateway.databaseUrl),
    output: () => gateway.stdout() + gateway.stderr(),
    close: async () => {
      await gateway.close();
      await upstream.close();
    },
  };
}

/** The services in this process behind any number of Envoys, each with the routes below and a configuration of its own. */
export interface RoutedGateway {
  /** `change` may rewrite the rendered configuration. */
  open(change?: (yaml: string) => string): Promise<World>;
  close(): Promise<void>;
}

function routesTo({ url, grpcUrl }: RecordingUpstream): GatewayRoute[] {
  return [
    { name: 'all', prefix: '/', upstream: url },
    { name: 'public', prefix: '/public', upstream: url, public: true },
    { name: 'scoped', prefix: '/scoped', upstream: url, scope: 'admin' },
    { name: 'grpc', prefix: '/echo.Echo', upstream: grpcUrl },
    { name: 'grpc-public', prefix: '/open.Echo', upstream: grpcUrl, public: true },
  ];
}

export async function startRoutedGateway(): Promise<RoutedGateway> {
  const database = await freshDatabase();
  const { folder, runFolder } = await newRunFolder('spoofing');
  let logged = '';
  const write = (line: string): void => {
    logged += line;
  };
  const logOf = (service: string) => ({ log: createLogger({ service, level: 'debug' }, { write }) });
  const own = { DATABASE_URL: database.url, DATA_DIR: folder, ADMIN_LISTEN: '127.0.0.1:0' };
  const listen = (name: string) => ({ [name]: '127.0.0.1:0' });
  const authzEnv = { ...own, ...listen('AUTHZ_LISTEN'), KEY_LOOKUP_TIMEOUT: '5s' };
  const authz = await startAuthzService(readAuthzConfig(authzEnv), logOf('authz'));
  const ratelimitEnv = { ...own, ...listen('RATELIMIT_LISTEN'), RATELIMIT_STORE: 'memory' };
  const ratelimit = await startRateLimitService(readRateLimitConfig(ratelimitEnv), logOf('ratelimit'));
  const collector = await startCollector(readCollectorConfig({ ...own, ...listen('COLLECTOR_LISTEN') }), logOf('collector'));
  const writer = await startWriter(readWriterConfig(own), logOf('writer'));
  await Promise.all([authz.ready, ratelimit.ready]);
  const keys = await makeKeys(database.url);
  const services = [authz, ratelimit, collector, writer];

  return {
    async open(change = (yaml) => yaml) {
      const upstream = await startRecordingUpstream();
      const envoyFolder = join(folder, `envoy-${randomUUID()}`);
      const configYaml = renderEnvoyConfig({
        gateway: { host: '127.0.0.1', port: 0 },
        admin: { host: '127.0.0.1', port: 0 },
        version: '1.2.3',
        nodeId: envoyFolder,
        authz: [addressOf(authz)],
        ratelimit: [addressOf(ratelimit)],
        usage: [addressOf(collector)],
        accessLogFile: join(folder, 'usage.jsonl'),
        routes: routesTo(upstream),
      });
      // Envoy closes on those whom it refused after a second; nothing here depends on that.
      const changed = change(configYaml).replace('stat_prefix: edge', '$&\n          delayed_close_timeout: 0.01s');
      const envoy = await startEnvoy({
        binary: await envoyPath(),
        configYaml: changed,
        folder: envoyFolder,
        recordIn: runFolder,
        concurrency: 1,
      });
      await servicesAreHealthy(envoy.adminUrl);
      return {
        gatewayUrl: await gatewayUrlOf(envoy.adminUrl),
        adminUrl: envoy.adminUrl,
        databaseUrl: database.url,
        folder,
        services: services.map(({ adminAddress }) => `http://${adminAddress}`),
        upstream,
        keys,
        output: () => logged,
        close: async () => {
          await envoy.kill();
          await upstream.close();
        },
      };
    },
    async close() {
      await collector.close();
      await writer.close({ drain: false });
      await Promise.all([authz.close(), ratelimit.close()]);
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function makeKeys(databaseUrl: string): Promise<Record<KeyName, TestKey>> {
  const db = openDatabase({
    url: databaseUrl,
    maxConnections: 1,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 10_000,
    applicationName: 'spoofing',
    onError: () => {},
  });
  const actor = 'spoofing';
  const make = async (plan: string, scopes: string[]): Promise<TestKey> => {
    const name = `Organization ${randomUUID()}`;
    const { id: organizationId } = await createOrganization(db, { name, plan, billingAnchorDay: 1 }, actor);
    const wanted = { organizationId, name: 'spoofing', environment: 'live' as const, scopes, createdBy: actor };
    const { key, secret } = await createApiKey(db, wanted, actor);
    return { secret, organizationId, keyId: key.id, plan };
  };
  try {
    const unknown = { secret: generateApiKey('live'), organizationId: 'none', keyId: 'none', plan: 'none' };
    const own = await make('enterprise', []);
    return { own, other: await make('basic', []), admin: await make('premium', ['admin']), unknown };
  } finally {
    await db.close();
  }
}

function addressOf({ address }: { address: string }): { host: string; port: number } {
  const [host = '', port = ''] = address.split(':');
  return { host, port: Number(port) };
}

async function servicesAreHealthy(adminUrl: string): Promise<void> {
  await until(
    async () => {
      const stats = await (await fetch(`${adminUrl}/stats?filter=membership_healthy`)).text();
      return ['authz', 'ratelimit', 'usage'].every((cluster) => stats.includes(`cluster.${cluster}.membership_healthy: 1`));
    },
    20_000,
    'healthy services',
  );
}

async function gatewayUrlOf(adminUrl: string): Promise<string> {
  const listeners = await (await fetch(`${adminUrl}/listeners`)).text();
  const address = /^gateway::(.+)$/m.exec(listeners)?.[1];
  if (address === undefined) throw new Error('Envoy has no listener');
  return `http://${address}`;
}

import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readConfig as readAuthzConfig } from '@tollgate/authz-service/config';
import { startAuthzService } from '@tollgate/authz-service/service';
import { createApiKey } from '@tollgate/postgres/api-keys';
import { openDatabase } from '@tollgate/postgres/database';
import { createOrganization } from '@tollgate/postgres/organizations';
import { readConfig as readRateLimitConfig } from '@tollgate/ratelimit-service/config';
import { startRateLimitService } from '@tollgate/ratelimit-service/service';
import { freshDatabase } from '@tollgate/testing/database';
import { freshRedis } from '@tollgate/testing/redis';
import { newRunFolder } from '@tollgate/testing/run-environment';
import { until } from '@tollgate/testing/until';
import { readConfig as readCollectorConfig } from '@tollgate/usage-processor/collector/config';
import { startCollector } from '@tollgate/usage-processor/collector/service';
import { readConfig as readReconcilerConfig } from '@tollgate/usage-processor/reconciler/config';
import { startReconciler } from '@tollgate/usage-processor/reconciler/service';
import { readConfig as readWriterConfig } from '@tollgate/usage-processor/writer/config';
import { startWriter } from '@tollgate/usage-processor/writer/service';
import { startUpstream } from '../../e2e/upstream.js';
import { startGateway } from '../../packages/envoy-config/test/live-gateway.js';
import { makeAuthority } from '../../packages/service-kit/test/certificates.js';
import { parseSeries, type Series } from './series.js';

export type ProcessName = 'authz' | 'ratelimit' | 'collector' | 'writer' | 'reconciler' | 'envoy';
export type Exported = Record<ProcessName, Series[]>;

const RULES = 'domain: shop\ndescriptors:\n  - key: path\n    rate_limit: { unit: second, requests_per_unit: 10 }\n';

/**
 * What every process exports once a request has gone through all of them, with all on that has metrics of its own: mutual
 * TLS, rules of other domains, the file log. `service`, which all of ours carry, is left out.
 */
export async function exportedSeries(): Promise<Exported> {
  const closers: (() => Promise<unknown>)[] = [];
  try {
    const pages = await startAll((close) => closers.unshift(close));
    const read = async ([name, url]: [string, string]) => {
      const page = await (await fetch(url)).text();
      return [name, parseSeries(page, name === 'envoy' ? [] : ['service'])] as const;
    };
    return Object.fromEntries(await Promise.all(Object.entries(pages).map(read))) as Exported;
  } finally {
    for (const close of closers) await close();
  }
}

async function startAll(onClose: (close: () => Promise<unknown>) => void): Promise<Record<ProcessName, string>> {
  const closing = <Service extends { close(): Promise<unknown> }>(service: Service): Service => {
    onClose(() => service.close());
    return service;
  };
  const { folder } = await newRunFolder('whole-system');
  const database = closing(await freshDatabase());
  const redis = closing(await freshRedis());
  const upstream = closing(await startUpstream());
  const secret = await aKeyIn(database.url);
  const tls = await writeCertificates(join(folder, 'tls'));
  const rules = join(folder, 'rules.yaml');
  await writeFile(rules, RULES);

  const env = {
    ...{ DATABASE_URL: database.url, REDIS_URL: redis.url, DATA_DIR: folder, LOG_LEVEL: 'silent', ADMIN_LISTEN: '127.0.0.1:0' },
    ...{ AUTHZ_LISTEN: '127.0.0.1:0', RATELIMIT_LISTEN: '127.0.0.1:0', COLLECTOR_LISTEN: '127.0.0.1:0' },
    ...{ TLS_CERT_FILE: tls.certFile, TLS_KEY_FILE: tls.keyFile, TLS_CA_FILE: tls.caFile },
    ...{ RATELIMIT_CONFIG: rules, USAGE_FILE: join(folder, 'usage.jsonl') },
  };
  const authz = closing(await startAuthzService(readAuthzConfig(env)));
  const ratelimit = closing(await startRateLimitService(readRateLimitConfig(env)));
  const collector = closing(await startCollector(readCollectorConfig(env)));
  const writer = closing(await startWriter(readWriterConfig(env)));
  await Promise.all([authz.ready, ratelimit.ready]);
  const gateway = closing(
    await startGateway({
      ...{ authz: [addressOf(authz)], ratelimit: [addressOf(ratelimit)], usage: [addressOf(collector)] },
      ...{ upstreamUrl: upstream.url, serviceTls: { ...tls, serverSan: 'tollgate.test' }, accessLogFile: env.USAGE_FILE },
    }),
  );
  const reconciler = closing(await startReconciler(readReconcilerConfig({ ...env, ENVOY_ADMIN_URL: gateway.adminUrl })));
  // An answer of each kind, since Envoy exports some series only once there is something to tell.
  upstream.on('/broken', (_, response) => response.writeHead(500).end());
  const statusOf = async (path: string) => (await gateway.ask(path, { headers: { 'x-api-key': secret } })).status;
  await until(async () => (await statusOf('/orders')) === 200, 20_000, 'a 200');
  await until(async () => (await statusOf('/broken')) === 500, 20_000, 'a 500');
  const envoy = `${gateway.adminUrl}/stats/prometheus`;
  const timed = /^envoy_cluster_upstream_rq_time_bucket\{envoy_cluster_name="upstream-/m;
  await until(async () => timed.test(await (await fetch(envoy)).text()), 20_000, 'histograms of Envoy');
  return {
    ...{ authz: metricsOf(authz), ratelimit: metricsOf(ratelimit), collector: metricsOf(collector) },
    ...{ writer: metricsOf(writer), reconciler: metricsOf(reconciler) },
    envoy,
  };
}

async function aKeyIn(databaseUrl: string): Promise<string> {
  const limits = { maxConnections: 1, connectTimeoutMs: 10_000, statementTimeoutMs: 20_000 };
  const db = openDatabase({ url: databaseUrl, ...limits, applicationName: 'test', onError: () => {} });
  try {
    const organization = await createOrganization(
      db,
      { name: `Acme ${randomUUID()}`, plan: 'basic', billingAnchorDay: 1 },
      'tester',
    );
    const key = { organizationId: organization.id, name: 'a key', environment: 'live', scopes: [], createdBy: 'tester' } as const;
    return (await createApiKey(db, key, 'tester')).secret;
  } finally {
    await db.close();
  }
}

async function writeCertificates(folder: string) {
  const authority = makeAuthority('ca');
  const { certPem, keyPem } = authority.issue(['DNS:tollgate.test']);
  const files = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem'), caFile: join(folder, 'ca.pem') };
  await mkdir(folder);
  await writeFile(files.certFile, certPem);
  await writeFile(files.keyFile, keyPem);
  await writeFile(files.caFile, authority.certPem);
  return files;
}

const metricsOf = (service: { adminAddress: string }): string => `http://${service.adminAddress}/metrics`;

function addressOf({ address }: { address: string }): { host: string; port: number } {
  const { hostname, port } = new URL(`tcp://${address}`);
  return { host: hostname, port: Number(port) };
}

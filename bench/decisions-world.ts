/**
 * One Envoy that asks a rate limiter for each request, through a listener of its own for every question: the same rules at
 * envoyproxy/ratelimit and at ratelimit-service, and organizations with one limit more each. All count in one Redis.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findEnvoy } from '@tollgate/embedded/envoy-binary';
import { startEnvoy } from '@tollgate/embedded/envoy-process';
import { freePort } from '@tollgate/embedded/free-port';
import type { Database } from '@tollgate/postgres/database';
import { setLimits } from '@tollgate/postgres/limits';
import { setPlan } from '@tollgate/postgres/plans';
import { cacheFolder } from '@tollgate/testing/run-environment';
import { until } from '@tollgate/testing/until';
import { asked, decisionsConfig, headersOf, type Organizations, type Question } from './decisions-config.js';
import { upstreamConfig } from './envoy-alone.js';
import type { Closers } from './run-folder.js';
import { startProgram } from './start-program.js';
import { startBenchPostgres, startBenchRedis } from './stores.js';
import { makeCallers, STORE_TIMEOUT, startService } from './world.js';

export interface DecisionsWorld {
  questions: readonly (Question & { url: string; limiterPid: number })[];
  redisPid: number;
  adminUrl: string;
  folder: string;
  versions: string;
}

export interface DecisionsOptions {
  folder: string;
  root: string;
  /** The server of envoyproxy/ratelimit; without it only ours is asked. */
  peer: string | undefined;
}

const ACTOR = 'bench';
const PER_MINUTE = 100_000_000;
const READY_DEADLINE_MS = 30_000;
const rules = (domain: string, algorithm: string): string => `domain: ${domain}
${algorithm}descriptors:
  - key: client
    rate_limit: { unit: minute, requests_per_unit: ${PER_MINUTE} }
`;

export async function startDecisionsWorld(options: DecisionsOptions, closers: Closers): Promise<DecisionsWorld> {
  const { folder, root, peer } = options;
  const envoyBinary = await findEnvoy({ cacheFolder: cacheFolder(), log: (line) => console.info(line) });
  const redis = await startBenchRedis(folder, closers);

  const postgres = await startBenchPostgres(folder, root, closers);
  const organizations = await makeOrganizations(postgres.db);

  const rulesFolder = join(folder, 'rules');
  await mkdir(rulesFolder);
  await writeFile(join(rulesFolder, 'bench.yaml'), rules('bench', ''));
  await writeFile(join(rulesFolder, 'window.yaml'), rules('bench_window', 'algorithm: fixed_window\n'));
  // Over TCP, as envoyproxy/ratelimit speaks nothing else.
  const ours = await startService({ folder, root, transport: 'tcp', profileFolder: undefined }, closers, 'ratelimit', {
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    RATELIMIT_STORE_TIMEOUT: STORE_TIMEOUT,
    RATELIMIT_CONFIG: rulesFolder,
  });
  const theirs = peer === undefined ? undefined : await startPeer(folder, peer, redis.port, closers);

  const upstreamPort = await freePort();
  const start = async (name: string, configYaml: string) => {
    const where = { binary: envoyBinary.path, folder: join(folder, name), concurrency: 1, recordIn: folder };
    const envoy = await startEnvoy({ ...where, configYaml });
    closers.push(() => envoy.kill());
    return envoy;
  };
  await start('upstream', upstreamConfig(upstreamPort));
  const oursPort = 'port' in ours.address ? ours.address.port : 0;
  const questions = await Promise.all(asked(organizations, oursPort, theirs?.port).map(withPort));
  const envoy = await start('envoy', decisionsConfig(questions, upstreamPort));
  await until(() => areAnswered(envoy.adminUrl, questions), READY_DEADLINE_MS, 'answers of every limiter');
  return {
    questions: questions.map((question) => ({
      ...question,
      url: `http://127.0.0.1:${question.port}/v1/things`,
      limiterPid: question.limiterPort === oursPort ? ours.pid : (theirs?.pid ?? 0),
    })),
    redisPid: redis.pid,
    adminUrl: envoy.adminUrl,
    folder,
    versions: `Node.js ${process.version}, Envoy ${envoyBinary.version}, Redis ${redis.version}`,
  };
}

async function withPort(question: Question): Promise<Question & { port: number }> {
  return { ...question, port: await freePort() };
}

async function areAnswered(adminUrl: string, questions: readonly (Question & { port: number })[]): Promise<boolean> {
  for (const { port, callers } of questions) {
    const headers = headersOf(callers[0] ?? {});
    await fetch(`http://127.0.0.1:${port}/`, { headers, signal: AbortSignal.timeout(5_000) });
  }
  const stats = await (await fetch(`${adminUrl}/stats?filter=ratelimit.ok`, { signal: AbortSignal.timeout(5_000) })).text();
  return questions.every(({ name }) => new RegExp(`^cluster\\.${name}\\.ratelimit\\.ok: [1-9]`, 'm').test(stats));
}

async function startPeer(folder: string, peer: string, redisPort: number, closers: Closers) {
  const config = join(folder, 'peer', 'ratelimit', 'config');
  await mkdir(config, { recursive: true });
  await writeFile(join(config, 'bench.yaml'), rules('bench', ''));
  const [port, httpPort, debugPort] = [await freePort(), await freePort(), await freePort()];
  const env = {
    RUNTIME_ROOT: join(folder, 'peer'),
    RUNTIME_SUBDIRECTORY: 'ratelimit',
    RUNTIME_WATCH_ROOT: 'false',
    REDIS_SOCKET_TYPE: 'tcp',
    REDIS_URL: `127.0.0.1:${redisPort}`,
    USE_STATSD: 'false',
    BACKEND_TYPE: 'redis',
    ...{ HOST: '127.0.0.1', GRPC_HOST: '127.0.0.1', DEBUG_HOST: '127.0.0.1', LOG_LEVEL: 'warn' },
    ...{ GRPC_PORT: String(port), PORT: String(httpPort), DEBUG_PORT: String(debugPort) },
  };
  // It says nothing when it is ready; the first answers are waited for.
  const { pid } = await startProgram(folder, closers, 'peer', peer, [], env, /^/);
  return { pid, port };
}

/** Organizations for each number of limits: minute and day; a month too; and a key's own minute. */
async function makeOrganizations(db: Database): Promise<Organizations> {
  await setPlan(db, 'bench', { perMinute: PER_MINUTE, burst: PER_MINUTE, perDay: 100_000_000_000 }, ACTOR);
  const [day, month, key] = [await makeCallers(db, 'Day'), await makeCallers(db, 'Month'), await makeCallers(db, 'Key')];
  for (const { organizationId } of [...month, ...key])
    await setLimits(db, { organizationId }, { perMonth: 1_000_000_000_000 }, ACTOR);
  for (const { organizationId, keyId } of key)
    await setLimits(db, { organizationId, keyId }, { perMinute: PER_MINUTE, burst: PER_MINUTE }, ACTOR);
  return { day, month, key };
}

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type BackgroundProcess, exitsWithin, startBackgroundProcess, stopInSteps } from './background-process.js';

const READY_DEADLINE_MS = 30_000;
const ADMIN_CALL_DEADLINE_MS = 2_000;
const QUIT_DEADLINE_MS = 5_000;
const LOOK_AGAIN_MS = 20;
const STOP_STEPS = [{ signal: 'SIGTERM', waitMs: 5_000 }] as const;
/** Entries still unwritten when Envoy exits are lost, so the file log, our second record of usage, is flushed often. */
const FILE_FLUSH_MS = 200;

export type EnvoyOptions = {
  binary: string;
  /** Its admin listener must allow GET /ready, /stats and POST /healthcheck/fail, /drain_listeners, /quitquitquit. */
  configYaml: string;
  /** For the configuration (mode 0600), the log and the admin address. */
  folder: string;
  /** Worker threads; Envoy's default is one for each core. */
  concurrency?: number;
  env?: Record<string, string>;
  /** Where the process is recorded; see process-register. */
  recordIn?: string;
};

export type DrainOptions = {
  /** How long requests in flight may take to end. */
  drainMs: number;
  /** The flush interval of the gRPC access log. */
  logFlushMs: number;
};

export type RunningEnvoy = {
  pid: number;
  exited: BackgroundProcess['exited'];
  /** Without a slash at the end. */
  adminUrl: string;
  /** Ends Envoy so that no request is cut and no access-log entry is lost, as far as the deadlines allow. */
  drainAndStop(options: DrainOptions): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
};

/** Starts Envoy and returns when it is ready. Throws with the end of Envoy's log when it does not become so. */
export async function startEnvoy(options: EnvoyOptions): Promise<RunningEnvoy> {
  await mkdir(options.folder, { recursive: true });
  const adminFile = join(options.folder, 'envoy-admin-address');
  const configFile = join(options.folder, 'envoy.yaml');
  await rm(adminFile, { force: true });
  await rm(configFile, { force: true });
  await writeFile(configFile, options.configYaml, { mode: 0o600 });
  const envoy = await startBackgroundProcess({
    command: options.binary,
    args: envoyArguments(configFile, adminFile, options.concurrency),
    logFile: join(options.folder, 'envoy.log'),
    hasOwnGroup: true,
    ...(options.env === undefined ? {} : { env: options.env }),
    record: options.recordIn === undefined ? undefined : { folder: options.recordIn, name: 'envoy' },
  });
  const adminUrl = await readyAdminUrl(envoy, adminFile);
  return {
    pid: envoy.pid,
    exited: envoy.exited,
    adminUrl,
    drainAndStop: (drain) => drainAndStop(envoy, adminUrl, drain),
    kill: async () => {
      envoy.signal('SIGKILL');
      await envoy.exited;
    },
  };
}

function envoyArguments(configFile: string, adminFile: string, concurrency: number | undefined): string[] {
  return [
    ...['--config-path', configFile, '--admin-address-path', adminFile],
    // Hot restart would tie two gateways on one machine together by their base id.
    '--disable-hot-restart',
    // A misspelt field in a routes file must be refused, not passed over with a warning.
    '--reject-unknown-dynamic-fields',
    ...['--file-flush-interval-msec', String(FILE_FLUSH_MS)],
    // It tells nothing but each second and worker in which a collector of spans says no, for as long as it does.
    ...['--component-log-level', 'tracing:critical'],
    ...(concurrency === undefined ? [] : ['--concurrency', String(concurrency)]),
  ];
}

async function readyAdminUrl(envoy: BackgroundProcess, adminFile: string): Promise<string> {
  const endMs = Date.now() + READY_DEADLINE_MS;
  while (envoy.isRunning() && Date.now() < endMs) {
    const address = (await readFile(adminFile, 'utf8').catch(() => '')).trim();
    if (address !== '' && (await adminCall(`http://${address}`, 'GET', '/ready')) !== undefined) return `http://${address}`;
    await delay(LOOK_AGAIN_MS);
  }
  const hasEnded = !envoy.isRunning();
  await stopInSteps(envoy, STOP_STEPS);
  const what = hasEnded ? 'Envoy ended at once' : `Envoy was not ready within ${READY_DEADLINE_MS / 1000} s`;
  throw new Error(`${what}:\n${await envoy.lastLines()}`);
}

/**
 * The order matters: Envoy writes nothing of its gRPC access log at exit, and cuts what is in flight.
 * 1. new connections are refused, and answers end the old ones; 2. requests end; 3. both logs are flushed; 4. it ends.
 */
async function drainAndStop(envoy: BackgroundProcess, adminUrl: string, { drainMs, logFlushMs }: DrainOptions): Promise<void> {
  if (!envoy.isRunning()) return;
  await adminCall(adminUrl, 'POST', '/healthcheck/fail');
  // Not "graceful", which goes on accepting for as long as Envoy's drain time, ten minutes by default.
  await adminCall(adminUrl, 'POST', '/drain_listeners');
  const endMs = Date.now() + drainMs;
  let isQuiet = false;
  while (!isQuiet && envoy.isRunning()) {
    while (envoy.isRunning() && Date.now() < endMs && (await requestCount(adminUrl, 'active')) !== 0) await delay(LOOK_AGAIN_MS);
    const begun = await requestCount(adminUrl, 'total');
    if (envoy.isRunning()) await delay(2 * logFlushMs); // file logs are flushed at exit
    // A caller may have used an old connection once more: what it sent is not flushed yet.
    isQuiet = Date.now() >= endMs || (await requestCount(adminUrl, 'total')) === begun;
  }
  await adminCall(adminUrl, 'POST', '/quitquitquit');
  if (!(await exitsWithin(envoy, QUIT_DEADLINE_MS))) await stopInSteps(envoy, STOP_STEPS);
}

/** Undefined where Envoy does not say. Requests of the admin listener itself are counted apart, under http.admin. */
async function requestCount(adminUrl: string, which: 'active' | 'total'): Promise<number | undefined> {
  const stats = await adminCall(adminUrl, 'GET', `/stats?filter=^http\\..*\\.downstream_rq_${which}$`);
  const lines = stats?.split('\n').filter((line) => line !== '' && !line.startsWith('http.admin.'));
  return lines?.reduce((sum, line) => sum + Number(line.slice(line.indexOf(': ') + 2)), 0);
}

/** The answer's body; undefined when Envoy does not answer with 200 in time. */
async function adminCall(adminUrl: string, method: string, path: string): Promise<string | undefined> {
  try {
    const response = await fetch(`${adminUrl}${path}`, { method, signal: AbortSignal.timeout(ADMIN_CALL_DEADLINE_MS) });
    const body = await response.text();
    return response.ok ? body : undefined;
  } catch {
    return undefined;
  }
}

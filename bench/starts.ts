/**
 * How long does a start take? `npm run bench -- starts [--rounds 7]`: the CLI, each service alone, and `npm start` with all that it
 * needs installed, beside a Node.js that does nothing. Wall time is what a user waits; CPU time is what a busy machine does not change.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startBackgroundProcess } from '@tollgate/embedded/background-process';
import { until } from '@tollgate/testing/until';
import { cpuNanosOf, processTree, sum } from './machine.js';
import { loadAverage, provenance } from './provenance.js';
import { writeSection } from './results-page.js';
import { type Closers, inRunFolder } from './run-folder.js';
import { type Start, startsReport } from './starts-report.js';
import { startBenchPostgres, startBenchRedis } from './stores.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SERVICES = ['authz', 'ratelimit', 'collector', 'writer', 'reconciler'];
const START_DEADLINE_MS = 60_000;
const END_DEADLINE_MS = 30_000;
const READY_LINE = /^.*"msg":"ready".*$/m;
const GATEWAY_LINE = /^.*"gatewayUrl".*$/m;

const { values: args } = parseArgs({ options: { rounds: { type: 'string', default: '7' } } });
const rounds = Number(args.rounds);

const loadBefore = loadAverage();
await inRunFolder(async (folder, closers) => {
  const { settings, versions } = await startServers(folder, closers);
  const gateway = { ...userEnvironment(), DATA_DIR: join(folder, 'gateway'), GATEWAY_PORT: '0', ENVOY_ADMIN_PORT: '0' };
  const npmStart = () => readyProgram(folder, 'npm-start', 'npm', ['start', '--silent', '--', '--json'], gateway, GATEWAY_LINE);
  const launcher = join(ROOT, 'cli', 'bin', 'tollgate.js');
  const starts: { start: Start; measure: () => Promise<Measured> }[] = [
    { start: named('node -e 0'), measure: async () => endedProgram(['-e', '0'], {}) },
    { start: named('tollgate --help', 150), measure: async () => endedProgram([launcher, '--help'], {}) },
    { start: named('tollgate org list'), measure: async () => endedProgram([launcher, 'org', 'list'], settings) },
    ...SERVICES.map((service) => ({
      start: named(service, 1_000),
      measure: () => readyProgram(folder, service, process.execPath, [join(ROOT, 'dist', `${service}.js`)], settings, READY_LINE),
    })),
    { start: named('npm start', 5_000), measure: npmStart },
  ];
  // The first start of each finds nothing in the disk's cache, and that of the gateway makes its database.
  for (const { measure } of starts) await measure();
  for (let round = 1; round <= rounds; round++) {
    for (const { start, measure } of starts) {
      const { wallMs, cpuMs } = await measure();
      start.wallMs.push(wallMs);
      start.cpuMs.push(cpuMs);
    }
    console.info(
      `round ${round}: ${starts.map(({ start }) => `${start.name} ${start.wallMs.at(-1)?.toFixed(0)} ms`).join(', ')}`,
    );
  }
  const report = startsReport(
    starts.map(({ start }) => start),
    [
      ...(await provenance(ROOT, versions, 'starts')),
      ['rounds', `${rounds}, each with every start once, after one round that does not count`],
      ['load average before and after', `${loadBefore}, ${loadAverage()}`],
    ],
  );
  console.info(`\n${report}`);
  await writeSection(join(ROOT, 'bench', 'results.md'), report);
});
process.exit();

interface Measured {
  wallMs: number;
  cpuMs: number;
}

function named(name: string, goalMs?: number): Start {
  return { name, goalMs, wallMs: [], cpuMs: [] };
}

async function startServers(folder: string, closers: Closers): Promise<{ settings: Record<string, string>; versions: string }> {
  const postgres = await startBenchPostgres(folder, ROOT, closers);
  const redis = await startBenchRedis(folder, closers);
  const listen = Object.fromEntries(SERVICES.map((service) => [`${service.toUpperCase()}_LISTEN`, '127.0.0.1:0']));
  const settings = {
    ...listen,
    ADMIN_LISTEN: '127.0.0.1:0',
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    DATA_DIR: join(folder, 'data'),
    USAGE_FILE: join(folder, 'usage.jsonl'),
  };
  await mkdir(settings.DATA_DIR, { recursive: true });
  const versions = `Node.js ${process.version}, PostgreSQL ${postgres.version}, Redis ${redis.version}`;
  return { settings, versions };
}

/** What a program of this user finds in its environment, such as the way to npm; nothing that sets up the gateway. */
function userEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '', XDG_CACHE_HOME } = process.env;
  return { PATH, HOME, ...(XDG_CACHE_HOME === undefined ? {} : { XDG_CACHE_HOME }) };
}

/** A Node.js program from its start to its end. Throws where it fails. */
function endedProgram(args: readonly string[], settings: Record<string, string>): Measured {
  const tellCpu = ['--require', join(ROOT, 'bench', 'tell-cpu.cjs')];
  const startMs = performance.now();
  const { status, output } = spawnSync(process.execPath, [...tellCpu, ...args], {
    env: { ...userEnvironment(), ...settings },
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    encoding: 'utf8',
  });
  const wallMs = performance.now() - startMs;
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}`);
  return { wallMs, cpuMs: Number(output[3]) / 1000 };
}

/** A program from its start to the line that says that it is ready; then it is ended. Throws where it does not get there. */
async function readyProgram(
  folder: string,
  name: string,
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  ready: RegExp,
): Promise<Measured> {
  const ownFolder = await mkdtemp(join(folder, `${name}-`));
  const logFile = join(ownFolder, 'log');
  const startMs = performance.now();
  const record = { folder, name };
  const program = await startBackgroundProcess({ command, args, env, logFile, hasOwnGroup: true, record });
  const isReady = async () => ready.test(await readFile(logFile, 'utf8')) || !program.isRunning();
  try {
    await until(isReady, START_DEADLINE_MS, `the start of ${name}`);
    const wallMs = performance.now() - startMs;
    const used = await Promise.all((await processTree(program.pid)).map(cpuNanosOf));
    if (!program.isRunning()) throw new Error(`${name} did not start:\n${await program.lastLines()}`);
    return { wallMs, cpuMs: sum(used) / 1e6 };
  } finally {
    const tree = await processTree(program.pid);
    // As Ctrl-C does: npm passes a signal on to its shell, which passes it on to nobody.
    if (program.isRunning()) process.kill(-program.pid, 'SIGTERM');
    await until(() => !tree.some((pid) => existsSync(`/proc/${pid}`)), END_DEADLINE_MS, `the end of ${name}`);
  }
}

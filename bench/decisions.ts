/**
 * What does a rate-limit decision cost, beside envoyproxy/ratelimit and by the number of limits? `npm run bench -- decisions
 * [--rounds 5] [--seconds 4]`, with RATELIMIT_PEER naming the server of envoyproxy/ratelimit, as
 * `go install github.com/envoyproxy/ratelimit/src/service_cmd@latest` builds it. What counts is CPU time per request.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { decisionInMemory } from './decision-in-memory.js';
import { headersOf } from './decisions-config.js';
import { type Answered, decisionsReport } from './decisions-report.js';
import { type DecisionsWorld, startDecisionsWorld } from './decisions-world.js';
import { findWrk, runLoad } from './load.js';
import { cpuNanosOf } from './machine.js';
import { loadAverage, provenance } from './provenance.js';
import { writeSection } from './results-page.js';
import { inRunFolder } from './run-folder.js';
import { STORE_TIMEOUT } from './world.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CONNECTIONS = 64;
const WARM_UP_SECONDS = 4;

const { values: args } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '4' } },
});
const rounds = Number(args.rounds);
const seconds = Number(args.seconds);
const peer = process.env['RATELIMIT_PEER'];
if (peer === undefined) console.info('RATELIMIT_PEER names no server of envoyproxy/ratelimit: only ours is measured.');

const wrk = await findWrk();
const loadBefore = loadAverage();
await inRunFolder(async (folder, closers) => {
  const world = await startDecisionsWorld({ folder, root: ROOT, peer }, closers);
  const answered = await measure(world);
  const report = decisionsReport(answered, await decisionInMemory(), [
    ...(await provenance(ROOT, world.versions, 'decisions')),
    ...(peer === undefined ? [] : [['envoyproxy/ratelimit', await versionOf(peer)] as const]),
    ['load', `wrk, ${CONNECTIONS} keep-alive connections through one Envoy, ${rounds} rounds of ${seconds} s each, in turns`],
    ['limits', `in one Redis over TCP, not persisted, RATELIMIT_STORE_TIMEOUT=${STORE_TIMEOUT}; nothing is ever limited`],
    ['load average before', loadBefore],
  ]);
  console.info(`\n${report}`);
  if (peer !== undefined) await writeSection(join(ROOT, 'bench', 'results.md'), report);
});
process.exit();

/** Of the module that Go built the program from. */
async function versionOf(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)('go', ['version', '-m', program]);
  return /^\s+mod\s+\S+\s+(\S+)/m.exec(stdout)?.[1] ?? 'unknown';
}

async function measure(running: DecisionsWorld): Promise<Answered[]> {
  for (const question of running.questions) await ask(running, question, WARM_UP_SECONDS);
  const answered: Answered[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const question of running.questions) {
      const one = await ask(running, question, seconds);
      console.info(`${one.describe.padEnd(46)} ${one.requests} requests of ${one.limiterMicros.toFixed(1)} µs`);
      answered.push(one);
    }
  }
  return answered;
}

async function ask(
  running: DecisionsWorld,
  question: DecisionsWorld['questions'][number],
  forSeconds: number,
): Promise<Answered> {
  const before = await readings(running, question);
  const load = await runLoad(wrk, {
    url: question.url,
    connections: CONNECTIONS,
    seconds: forSeconds,
    callers: question.callers.map((entries) => ({ headers: headersOf(entries) })),
    folder: running.folder,
  });
  const after = await readings(running, question);
  if (load.failures.length > 0) throw new Error(`${question.name}: ${load.failures.join(', ')}`);
  const requests = after.decided - before.decided;
  if (requests === 0) throw new Error(`${question.name}: no limiter was asked`);
  return {
    ...question,
    requests,
    perSecond: load.perSecond,
    undecided: after.undecided - before.undecided,
    limiterMicros: (after.limiterNanos - before.limiterNanos) / 1000 / requests,
    redisMicros: (after.redisNanos - before.redisNanos) / 1000 / requests,
  };
}

async function readings({ adminUrl, redisPid }: DecisionsWorld, { name, limiterPid }: DecisionsWorld['questions'][number]) {
  const stats = await (await fetch(`${adminUrl}/stats?filter=ratelimit`, { signal: AbortSignal.timeout(5_000) })).text();
  const count = (what: string) =>
    Number(new RegExp(`^cluster\\.${name}\\.ratelimit\\.${what}: (\\d+)`, 'm').exec(stats)?.[1] ?? 0);
  return {
    decided: count('ok'),
    undecided: count('error') + count('over_limit'),
    limiterNanos: await cpuNanosOf(limiterPid),
    redisNanos: await cpuNanosOf(redisPid),
  };
}

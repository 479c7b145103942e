import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { promisify } from 'node:util';
import { until } from '@tollgate/testing/until';
import type { Instance } from '../../e2e/cluster.js';
import { countedFigures } from '../common-figures.js';
import type { Fault, Figures, Run } from '../fault.js';
import { metricOf } from '../instance-figures.js';
import type { MutantProgram } from '../mutants.js';
import { during, percentiles } from '../probe.js';
import { type StandOptions, startStand } from '../stand.js';
import { isBilled } from '../usage-account.js';

const DISK = '2m';
const FULL_DEADLINE_MS = 120_000;
const BACK_DEADLINE_MS = 120_000;
/** Envoy holds back 4 MiB a worker: the time in which nothing may be lost has an end. */
const FULL_SECONDS = 3;

const sh = promisify(execFile);

const DROPS_WHAT_DOES_NOT_FIT: MutantProgram = {
  role: 'collector',
  name: 'drops-what-does-not-fit',
  changes: [
    {
      file: 'packages/event-log/src/spooling-event-log-writer.ts',
      from: 'await spooled.during(spool.append(events));',
      to: 'await spooled.during(Promise.race([spool.append(events), new Promise((resolve) => setTimeout(resolve, 200))]).catch(() => {})) ;',
    },
  ],
};

export const diskFull: Fault = {
  id: 'F14',
  title: 'the disk of the collector is full while Kafka is away',
  promise:
    'It tells that it is not ready and stops reading; callers notice nothing; when there is room again it goes on by itself.',
  acceptance: [
    { figure: 'full', what: 'times that the collector told it is not ready', atLeast: 1 },
    { figure: 'failed', what: 'failed requests', atMost: 0 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'unlimited', what: 'requests that nobody limited', atMost: 0 },
    { figure: 'deadLetters', what: 'half records that came out of the disk', atMost: 0 },
    { figure: 'lost', what: 'lost usage', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
  ],
  run: (run) => fillDisk(run),
  mutant: {
    title: 'a spool that drops what does not fit',
    breaks: 'lost',
    run: (run) => fillDisk(run, { mutants: [DROPS_WHAT_DOES_NOT_FIT] }),
  },
  obstacle: async () => (getuid?.() === 0 ? undefined : 'only root may make a small disk (tmpfs)'),
};

async function fillDisk(run: Run, options: StandOptions = {}): Promise<Figures> {
  const disk = await mkdtemp(join(tmpdir(), 'proof-disk-'));
  run.onEnd(() => rm(disk, { recursive: true, force: true }));
  await sh('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', disk]);
  run.onEnd(() => sh('umount', ['--lazy', disk]));
  const { cluster, kafka, probe } = await startStand(run, { ...options, hasKafka: true, env: { DATA_DIR: disk } });
  const collector = cluster.collector as Instance;
  await kafka.kill();
  const goneMs = Date.now();
  const isFull = async () => (await collector.page('/health/ready')).includes('unavailable');
  const full = await until(isFull, FULL_DEADLINE_MS, 'a full disk').then(
    () => 1,
    () => 0,
  );
  await probe.seconds(FULL_SECONDS);
  await kafka.start();
  const backMs = Date.now();
  const isEmpty = async () => (await metricOf(collector, 'tollgate_usage_spool_bytes')) === 0 && !(await isFull());
  await until(isEmpty, BACK_DEADLINE_MS, 'an empty disk');
  const recoveryMs = Date.now() - backMs;
  const isStoredAgain = async () => {
    const later = probe.answers.findLast((answer) => answer.sentAtMs < backMs + recoveryMs && isBilled(answer));
    return (await cluster.db.query('SELECT 1 FROM usage_events WHERE request_id = $1', [later?.requestId ?? ''])).length > 0;
  };
  await until(isStoredAgain, BACK_DEADLINE_MS, 'rows of what came last');
  await probe.stop();
  const { answers } = probe;
  const counted = await countedFigures(cluster, answers);
  const [letters] = await cluster.db.query<{ n: number }>('SELECT count(*)::int AS n FROM usage_dead_letters');
  return {
    ...counted,
    full,
    ...(letters && { deadLetters: letters.n }),
    ...percentiles(during(answers, goneMs, backMs)),
    recoveryMs,
  };
}

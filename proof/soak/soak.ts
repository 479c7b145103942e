import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '@tollgate/testing/until';
import { PROJECT } from '../../e2e/gateway.js';
import { countedFigures } from '../common-figures.js';
import type { Acceptance, Figures, Run } from '../fault.js';
import { numbersOf } from '../judge.js';
import { isRefused, percentiles } from '../probe.js';
import { type Stand, startStand } from '../stand.js';
import { grown, type Look, lookAt, watchLoops } from './process-looks.js';

export const SOAK_ACCEPTANCE: readonly Acceptance[] = [
  { figure: 'faults', what: 'faults', atLeast: 3 },
  { figure: 'heapGrownMb', what: 'largest growth of a heap after a collection, from minute 10 (or a third) on, MB', atMost: 3 },
  { figure: 'filesGrown', what: 'largest growth of the open files of a service', atMost: 8 },
  {
    figure: 'loopP99Ms',
    what: 'P99 of the event loops, the worst ten seconds of any service but the ends of faults, ms',
    atMost: 50,
    isTime: true,
  },
  { figure: 'refused', what: 'requests with good keys that were neither served nor limited', atMost: 0 },
  { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
  { figure: 'unlimited', what: 'requests that nobody limited', atMost: 0 },
  { figure: 'lost', what: 'lost usage', atMost: 0 },
  { figure: 'doubled', what: 'doubled usage', atMost: 0 },
];

export interface SoakOutcome {
  /** What ended it before its time. */
  reason?: string;
  figures: Figures;
  faults: string[];
  looks: { early: Look[]; late: Look[] };
  /** P99 of each event loop, the worst ten seconds, ms. */
  loops: Record<string, number>;
}

const TURN = ['F1', 'F5', 'F7'] as const;
/** The writer's group may have to find itself after Kafka has come back. */
const REGROUPED_MS = 90_000;
/** Of which P99 of an event loop is told: in fewer a single pause would be all of it. */
const LOOP_SECONDS = 10;
const CALM_DEADLINE_MS = 120_000;

/** So many minutes of load in which Redis, PostgreSQL and Kafka are killed in turn. */
export async function soak(run: Run, minutes: number): Promise<SoakOutcome> {
  const heapFolder = await mkdtemp(join(tmpdir(), 'proof-heap-'));
  run.onEnd(() => rm(heapFolder, { recursive: true, force: true }));
  const NODE_OPTIONS = `--import=${join(PROJECT, 'proof', 'soak', 'heap-on-signal.mjs')}`;
  const stand = await startStand(run, { hasKafka: true, env: { NODE_OPTIONS, HEAP_FOLDER: heapFolder } });
  const { cluster, probe } = stand;
  const { authz, ratelimit, collector, writer } = cluster;
  const services = [...authz, ...ratelimit, collector, writer].filter((each) => each !== undefined);
  const beganMs = performance.now();
  const minute = () => (performance.now() - beganMs) / 60_000;
  const earlyMinute = Math.min(10, minutes / 3);
  const faults: string[] = [];
  const loops = watchLoops(services);
  let early: Look[] | undefined;
  let late: Look[] = [];
  let reason: string | undefined;
  const calm = async (): Promise<void> => {
    await loops.reset();
    for (let looks = Math.max(1, Math.min(3, Math.floor(minutes / 10))); looks > 0; looks--) {
      await probe.seconds(LOOP_SECONDS);
      await loops.note();
    }
  };
  try {
    while (minute() < minutes || faults.length < TURN.length) {
      await calm();
      if (early === undefined && minute() >= earlyMinute) early = await lookAt(services, heapFolder);
      const fault = TURN[faults.length % TURN.length] as (typeof TURN)[number];
      run.say(`minute ${minute().toFixed(1)}: ${fault}, ${probe.answers.length} answers`);
      faults.push(fault);
      await HARM[fault](stand, Math.max(3, Math.min(10, minutes)));
      await untilCalm(stand);
    }
    await calm();
    late = await lookAt(services, heapFolder);
  } catch (error) {
    // What came until then is counted all the same.
    reason = String(error);
    run.say(`minute ${minute().toFixed(1)}: ended early, ${reason}`);
  }
  await probe.stop();
  const figures = {
    ...(await figuresOf(stand, run)),
    faults: faults.length,
    heapGrownMb: grown(early ?? [], late, 'heapMb'),
    filesGrown: grown(early ?? [], late, 'files'),
    loopP99Ms: Math.max(...Object.values(loops.worst())),
  };
  const looks = { early: early ?? [], late };
  return { ...(reason !== undefined && { reason }), figures: numbersOf(figures), faults, looks, loops: loops.worst() };
}

async function figuresOf({ cluster, probe: { answers } }: Stand, { say }: Run): Promise<Figures> {
  const refused = answers.filter(isRefused);
  if (refused.length > 0) say(`refused: ${[...new Set(refused.map(({ code }) => code))].join(', ')}`);
  say(`${answers.length} answers; waiting until their usage is stored`);
  return { ...(await countedFigures(cluster, answers, REGROUPED_MS)), refused: refused.length, ...percentiles(answers) };
}

const HARM: Record<(typeof TURN)[number], (stand: Stand, seconds: number) => Promise<void>> = {
  F1: async ({ redis, probe }, seconds) => {
    await redis.kill();
    await probe.seconds(seconds);
    await redis.start();
  },
  F5: async ({ database, probe }, seconds) => {
    await database.kill();
    await probe.seconds(seconds);
    await database.start();
  },
  F7: async ({ kafka, probe }, seconds) => {
    await kafka.kill();
    await probe.seconds(seconds);
    await kafka.start();
  },
};

/** Every part says that it is well, and Redis decides. */
async function untilCalm({ cluster, probe }: Stand): Promise<void> {
  const parts = [...cluster.authz, ...cluster.ratelimit, cluster.collector, cluster.writer].filter((each) => each !== undefined);
  const isWell = async (): Promise<boolean> => {
    const pages = await Promise.all(parts.map((part) => part.page('/health/ready')));
    const last = probe.answers.findLast(({ isLimited }) => isLimited);
    return last?.isDegraded === false && pages.every((page) => !/"(unavailable|degraded)"/.test(page));
  };
  await until(isWell, CALM_DEADLINE_MS, 'calm after a fault');
}

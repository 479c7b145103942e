import type { Instance } from '../../e2e/cluster.js';
import { countedFigures } from '../common-figures.js';
import { type Fault, type Figures, type Run, sized } from '../fault.js';
import type { MutantProgram } from '../mutants.js';
import { percentiles } from '../probe.js';
import { type StandOptions, startStand } from '../stand.js';

const NO_DRAIN: MutantProgram = {
  role: 'ratelimit',
  name: 'no-drain',
  changes: [
    {
      file: 'packages/service-kit/src/lifecycle.ts',
      from: 'process.on(signal, () => stop(signal));',
      to: 'process.on(signal, () => process.exit(0));',
    },
  ],
};

export const rollingRestart: Fault = {
  id: 'F20',
  title: 'SIGTERM of each authz and ratelimit in turn',
  promise: 'No call fails, and every service has left within ten seconds.',
  acceptance: [
    { figure: 'restarts', what: 'restarts', atLeast: 5 },
    { figure: 'failed', what: 'failed requests', atMost: 0 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'unlimited', what: 'requests that nobody limited', atMost: 0 },
    { figure: 'uncleanExits', what: 'exits with another code than 0', atMost: 0 },
    { figure: 'lost', what: 'lost usage', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
    { figure: 'exitMs', what: 'slowest exit, ms', atMost: 10_000 },
  ],
  run: (run) => restartAll(run),
  mutant: {
    title: 'a ratelimit that exits at once at SIGTERM',
    breaks: 'unlimited',
    run: (run) => restartAll(run, { mutants: [NO_DRAIN] }),
  },
  isSmall: true,
};

async function restartAll(run: Run, options: StandOptions = {}): Promise<Figures> {
  const { cluster, probe } = await startStand(run, { ...options, env: { DRAIN_TIME: '2500ms', ...options.env } });
  const exits: { code: number | null; tookMs: number }[] = [];
  const restart = async (instances: readonly Instance[], round: number): Promise<void> => {
    const instance = instances[round % instances.length] as Instance;
    const toldMs = Date.now();
    instance.signal('SIGTERM');
    const { code } = await instance.exited();
    exits.push({ code, tookMs: Date.now() - toldMs });
    await instance.start();
  };
  const beganMs = Date.now();
  for (let round = 0; exits.length < sized(run, 6, 50); round++) {
    // One of each at once: each has another one beside it.
    await Promise.all([restart(cluster.authz, round), restart(cluster.ratelimit, round)]);
    await cluster.allHealthy();
  }
  await probe.stop();
  const { answers } = probe;
  return {
    ...(await countedFigures(cluster, answers)),
    restarts: exits.length,
    uncleanExits: exits.filter(({ code }) => code !== 0).length,
    exitMs: Math.max(...exits.map(({ tookMs }) => tookMs)),
    ...percentiles(answers.filter(({ sentAtMs }) => sentAtMs >= beganMs)),
  };
}

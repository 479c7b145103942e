import { until } from '@tollgate/testing/until';
import { type Instance, patientWithServices } from '../../e2e/cluster.js';
import { countedFigures } from '../common-figures.js';
import type { Fault, Figures, Run } from '../fault.js';
import { metricOf } from '../instance-figures.js';
import { type Answered, count, isFailed, isUnlimited, percentiles } from '../probe.js';
import { type StandOptions, startStand } from '../stand.js';

const NOTICED_DEADLINE_MS = 20_000;
const OPEN = { usual: 'failure_mode_allow: false', mutant: 'failure_mode_allow: true' };

export const instanceKilled: Fault = {
  id: 'F21',
  title: 'kill -9 of one of two authz, and of one of two ratelimits',
  promise:
    'What fails, fails for as long as Envoy has not noticed and as 503; nobody gets in, and a request that nobody limited is marked.',
  acceptance: [
    { figure: 'kills', what: 'kills that Envoy noticed', atLeast: 2 },
    { figure: 'lateFailures', what: 'failed requests when Envoy had noticed', atMost: 0 },
    { figure: 'lateUnlimited', what: 'requests that nobody limited when Envoy had noticed', atMost: 0 },
    { figure: 'failedByRatelimit', what: 'failed requests by the death of a ratelimit', atMost: 0 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'unmarked', what: 'requests that nobody limited and the collector did not count', atMost: 0 },
    { figure: 'lost', what: 'lost usage', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
    { figure: 'noticedMs', what: 'until Envoy has noticed, ms', atMost: 2_500, isTime: true },
  ],
  run: (run) => killEach(run),
  mutant: {
    title: 'an Envoy that lets in whom nobody could judge (failure_mode_allow), and no authz left',
    breaks: 'wrong',
    run: (run) => killEach(run, { cluster: { authz: 1, envoyConfig: failOpen } }),
  },
  isSmall: true,
};

function failOpen(yaml: string): string {
  if (!yaml.includes(OPEN.usual)) throw new Error('the rendered configuration says no more that authz fails closed');
  return patientWithServices(yaml.replace(OPEN.usual, OPEN.mutant));
}

async function killEach(run: Run, options: StandOptions = {}): Promise<Figures> {
  const { cluster, probe } = await startStand(run, options);
  const unlimitedCount = () => metricOf(cluster.collector as Instance, 'tollgate_usage_events_total', 'stage="unlimited"');
  const [markedBefore, passedBefore] = [await unlimitedCount(), count(probe.answers, isUnlimited)];
  const windows: { role: string; fromMs: number; toMs: number }[] = [];
  for (const role of ['authz', 'ratelimit'] as const) {
    const [victim, ...others] = cluster[role];
    const fromMs = Date.now();
    victim?.signal('SIGKILL');
    const isNoticed = async () => (await cluster.healthy(role)) === others.length;
    await until(isNoticed, NOTICED_DEADLINE_MS, 'Envoy noticing the death');
    windows.push({ role, fromMs, toMs: Date.now() });
    await probe.seconds(1);
    await victim?.start();
    await cluster.allHealthy();
    await probe.seconds(1);
  }
  await probe.stop();
  const { answers } = probe;
  // Before the collector is asked what it counted: by then it has seen all of them.
  const counted = await countedFigures(cluster, answers);
  const isIn = ({ endedAtMs, sentAtMs }: Answered, role?: string): boolean =>
    windows.some((each) => (role ?? each.role) === each.role && endedAtMs >= each.fromMs && sentAtMs <= each.toMs);
  const marked = (await unlimitedCount()) - markedBefore;
  return {
    ...counted,
    kills: windows.length,
    lateFailures: count(answers, (answer) => isFailed(answer) && !isIn(answer)),
    lateUnlimited: count(answers, (answer) => isUnlimited(answer) && !isIn(answer)),
    failedByRatelimit: count(answers, (answer) => isFailed(answer) && isIn(answer, 'ratelimit')),
    unmarked: Math.abs(count(answers, isUnlimited) - passedBefore - marked),
    ...percentiles(answers),
    noticedMs: Math.max(...windows.map(({ fromMs, toMs }) => toMs - fromMs)),
  };
}

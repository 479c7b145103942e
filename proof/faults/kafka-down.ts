import { until } from '@tollgate/testing/until';
import type { Instance } from '../../e2e/cluster.js';
import { countedFigures } from '../common-figures.js';
import { type Fault, type Figures, type Run, sized } from '../fault.js';
import { metricOf, residentMb } from '../instance-figures.js';
import type { MutantProgram } from '../mutants.js';
import { during, percentiles } from '../probe.js';
import { type StandOptions, startStand } from '../stand.js';
import { isBilled } from '../usage-account.js';

const DRAINED_DEADLINE_MS = 120_000;

const NO_SPOOL: MutantProgram = {
  role: 'collector',
  name: 'no-spool',
  changes: [
    {
      file: 'packages/event-log/src/spooling-event-log-writer.ts',
      from: 'return { rest: appendToSpool(events) };',
      to: 'return {};',
    },
  ],
};

export const kafkaDown: Fault = {
  id: 'F7',
  title: 'Kafka is killed',
  promise: 'Callers notice nothing; events wait on the disk of the collector and are all stored when Kafka is back.',
  acceptance: [
    { figure: 'spooled', what: 'events that waited on disk', atLeast: 100 },
    { figure: 'failed', what: 'failed requests', atMost: 0 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'unlimited', what: 'requests that nobody limited', atMost: 0 },
    { figure: 'lost', what: 'lost usage', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
    { figure: 'collectorMb', what: 'largest memory of the collector, MB', atMost: 256, isTime: true },
    { figure: 'drainedTimes', what: 'draining, in times of the arrival rate', atLeast: 5, isTime: true },
  ],
  run: (run) => killKafka(run),
  mutant: {
    title: 'what Kafka refuses is dropped',
    breaks: 'lost',
    run: (run) => killKafka(run, { mutants: [NO_SPOOL] }),
  },
  isSmall: true,
};

async function killKafka(run: Run, options: StandOptions = {}): Promise<Figures> {
  const { cluster, kafka, probe } = await startStand(run, { ...options, hasKafka: true });
  const collector = cluster.collector as Instance;
  const spooledSoFar = () => metricOf(collector, 'tollgate_usage_events_total', 'stage="spooled"');
  // In a whole run the writer goes through it too; to find its group again takes longer than the rest.
  const { writer } = cluster;
  if (run.size === 'small') {
    writer?.signal('SIGTERM');
    await writer?.exited();
  }
  await kafka.kill();
  const goneMs = Date.now();
  let collectorMb = 0;
  for (let second = 0; second < sized(run, 5, 120); second++) {
    await probe.seconds(1);
    collectorMb = Math.max(collectorMb, await residentMb(collector));
  }
  await kafka.start();
  const backMs = Date.now();
  const waiting = await metricOf(collector, 'tollgate_usage_spool_events');
  const isEmpty = async () => (await metricOf(collector, 'tollgate_usage_spool_bytes')) === 0;
  await until(async () => (await metricOf(collector, 'tollgate_usage_spool_events')) < waiting || isEmpty(), DRAINED_DEADLINE_MS);
  const drainingMs = Date.now();
  await until(isEmpty, DRAINED_DEADLINE_MS, 'an empty spool');
  const isStoredAgain = async () => {
    const later = probe.answers.find((answer) => answer.sentAtMs > backMs && isBilled(answer));
    return (await cluster.db.query('SELECT 1 FROM usage_events WHERE request_id = $1', [later?.requestId ?? ''])).length > 0;
  };
  const [recoveryMs, drainMs] = [Date.now() - backMs, Math.max(1, Date.now() - drainingMs)];
  if (run.size === 'small') await writer?.start();
  await until(isStoredAgain, DRAINED_DEADLINE_MS, 'rows of what came after the return of Kafka');
  await probe.stop();
  const { answers } = probe;
  return {
    ...(await countedFigures(cluster, answers)),
    spooled: await spooledSoFar(),
    collectorMb,
    drainedTimes: (waiting * 1000) / drainMs / run.rate,
    ...percentiles(during(answers, goneMs, backMs)),
    recoveryMs,
  };
}

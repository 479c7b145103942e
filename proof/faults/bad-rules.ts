import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '@tollgate/testing/until';
import { createLimitClient } from '../../bench/limit-client.js';
import type { Instance } from '../../e2e/cluster.js';
import { PROJECT } from '../../e2e/gateway.js';
import { countedFigures } from '../common-figures.js';
import type { Fault, Figures, Run } from '../fault.js';
import { metricOf } from '../instance-figures.js';
import type { MutantProgram } from '../mutants.js';
import { percentiles } from '../probe.js';
import { type StandOptions, startStand } from '../stand.js';

const PER_HOUR = 10;
const GOOD = `domain: proof\ndescriptors: [ { key: client, rate_limit: { unit: hour, requests_per_unit: ${PER_HOUR} } } ]\n`;
const BAD = {
  'no YAML': 'domain: proof\ndescriptors: [ { key: client\n',
  'a unit that there is not': GOOD.replace('unit: hour', 'unit: fortnight'),
  'no descriptors': 'domain: proof\ndescriptors: 7\n',
};
const NOTICED_DEADLINE_MS = 20_000;

const TAKES_UP_ANYTHING: MutantProgram = {
  role: 'ratelimit',
  name: 'takes-up-anything',
  changes: [
    {
      file: 'packages/descriptor-limits/src/follow-rules.ts',
      from: "      if (next.kind === 'rules') {",
      to: "      if (next.kind !== 'rules') {\n        inForce = { kind: 'rules', rules: new Map(), ruleCount: 0 } as unknown as typeof inForce;\n      } else {",
    },
  ],
};

export const badRules: Fault = {
  id: 'F22',
  title: 'bad rules are put in the place of good ones',
  promise: 'The last good ones stay in force, a metric tells it, and the command names file and line.',
  acceptance: [
    { figure: 'refusals', what: 'contents that were refused', atLeast: Object.keys(BAD).length },
    { figure: 'changed', what: 'decisions that are not those of the good rules', atMost: 0 },
    { figure: 'unnamed', what: 'bad contents that `config validate` lets pass, or does not place', atMost: 0 },
    { figure: 'failed', what: 'failed requests', atMost: 0 },
    { figure: 'wrong', what: 'wrong decisions', atMost: 0 },
    { figure: 'unlimited', what: 'requests that nobody limited', atMost: 0 },
    { figure: 'lost', what: 'lost usage', atMost: 0 },
    { figure: 'doubled', what: 'doubled usage', atMost: 0 },
  ],
  run: (run) => writeBadRules(run),
  mutant: {
    title: 'a ratelimit that goes on without rules where they are bad',
    breaks: 'changed',
    run: (run) => writeBadRules(run, { mutants: [TAKES_UP_ANYTHING] }),
  },
};

async function writeBadRules(run: Run, options: StandOptions = {}): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), 'proof-rules-'));
  run.onEnd(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'rules.yaml');
  await writeFile(file, GOOD);
  const { cluster, probe } = await startStand(run, { ...options, env: { RATELIMIT_CONFIG: file } });
  const [instance] = cluster.ratelimit as [Instance];
  const refusals = () => metricOf(instance, 'tollgate_ratelimit_config_reloads_total', 'result="refused"');
  const over = () => metricOf(instance, 'tollgate_ratelimit_rule_decisions_total', 'result="over_limit"');
  const client = createLimitClient(instance.address, 'proof', { client: 'proof' });
  run.onEnd(async () => client.close());
  // What a limit of an hour had is used up at once: from then on each decision is a refusal, as long as the rules hold.
  await client.ask(100, 1);
  let [asked, denied, unnamed] = [0, 0, 0];
  for (const text of Object.values(BAD)) {
    const before = await refusals();
    await writeFile(file, text);
    await until(async () => (await refusals()) > before, NOTICED_DEADLINE_MS, 'the refusal of bad rules').catch(() => {});
    const deniedBefore = await over();
    asked += (await client.ask(20, 1)).calls;
    denied += (await over()) - deniedBefore;
    if (!(await isPlaced(file))) unnamed++;
  }
  const refused = await refusals();
  await probe.stop();
  const { answers } = probe;
  return {
    ...(await countedFigures(cluster, answers)),
    refusals: refused,
    changed: asked - denied,
    unnamed,
    ...percentiles(answers),
  };
}

/** Whether the command refuses the file, with its name and a line. */
function isPlaced(file: string): Promise<boolean> {
  const args = [join(PROJECT, 'cli', 'bin', 'tollgate.js'), 'config', 'validate', '--ratelimit', file];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: PROJECT }, (error, stdout, stderr) => {
      resolve(error !== null && /rules\.yaml:\d+/.test(`${stdout}${stderr}`));
    });
  });
}

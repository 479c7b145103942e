import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import type { Fault, Figures } from './fault.js';
import { reliabilityPage } from './reliability-page.js';
import type { Results } from './report.js';
import { type FaultResult, type RunOptions, runFault, withCleanUp } from './run-faults.js';
import { isBad, summaryOf } from './summary.js';

const ending = new AbortController();
const said: string[] = [];
const OPTIONS: RunOptions = {
  ...{ size: 'full', judgesTimes: true, rate: 1, seed: 1, signal: ending.signal },
  say: (line) => said.push(line),
};

function aFault(id: string, run: Fault['run'], mutantFigures: Figures): Fault {
  return {
    ...{ id, title: `what ${id} does`, promise: 'Nothing is lost.', run },
    acceptance: [{ figure: 'lost', what: 'lost usage', atMost: 0 }],
    mutant: { title: 'no protection', breaks: 'lost', run: async () => mutantFigures },
  };
}
const GOOD = async (): Promise<Figures> => ({ n: 1, lost: 0 });
const RED: Figures = { n: 1, lost: 1 };

test.each<[string, Fault, FaultResult['outcome'], FaultResult['mutant']['outcome']]>([
  ['its figures are kept and its mutant breaks them', aFault('F1', GOOD, RED), 'held', 'found out'],
  ['its mutant breaks nothing', aFault('F1', GOOD, { n: 1, lost: 0 }), 'held', 'missed'],
  ['its mutant took no figure', aFault('F1', GOOD, { n: 1 }), 'held', 'missed'],
  ['a figure is broken', aFault('F1', async () => RED, RED), 'broken', 'not run'],
  ['a figure is missing', aFault('F1', async () => ({ n: 1 }), RED), 'broken', 'not run'],
  ['a figure is no number', aFault('F1', async () => ({ n: 1, lost: Math.max() }), RED), 'broken', 'not run'],
  ['it ends with an error', aFault('F1', () => Promise.reject(new Error('no Redis')), RED), 'broken', 'not run'],
])('a fault is good only if it held and its mutant was found out: %s', async (_, fault, outcome, mutant) => {
  const result = await runFault(fault, OPTIONS);
  expect([result.outcome, result.mutant.outcome]).toEqual([outcome, mutant]);
  expect(isBad(result)).toBe(outcome !== 'held' || mutant !== 'found out');
});

test('whatever a fault opened is closed, the last first, also after an error and beside a part that cannot be closed', async () => {
  const closed: string[] = [];
  const work = withCleanUp(OPTIONS, async ({ onEnd }) => {
    onEnd(async () => closed.push('first'));
    onEnd(() => Promise.reject(new Error('stuck')));
    onEnd(async () => closed.push('last'));
    throw new Error('the fault itself');
  });
  await expect(work).rejects.toThrow('the fault itself');
  expect(closed).toEqual(['last', 'first']);
  expect(said.at(-1)).toContain('stuck');
});

test('a fault that hangs is given up, and what it opens later is closed at once', async () => {
  let open = (): void => {};
  const closed = new Promise<string>((resolve) => {
    const hanging = withCleanUp(
      OPTIONS,
      ({ onEnd }) => {
        open = () => onEnd(async () => resolve('closed'));
        return new Promise(() => {});
      },
      20,
    );
    hanging.catch(() => open());
  });
  expect(await closed).toBe('closed');
});

test('as many faults as there are leave no listener at the signal that ends the run', async () => {
  for (let i = 0; i < 20; i++) await runFault(aFault('F1', GOOD, RED), OPTIONS);
  expect(getEventListeners(ending.signal, 'abort')).toHaveLength(0);
});

test('the page and the summary name what did not hold, also when it has gone through a file', async () => {
  const ran = { commit: 'abc', date: '2026-11-27', machine: 'a machine', load: '0.10', rate: 500 };
  const faults = [
    aFault('F1', GOOD, RED),
    aFault('F2', async () => RED, RED),
    aFault('F3', async () => ({ n: 1, lost: Number.NaN }), RED),
    aFault('F4', GOOD, { n: 1, lost: 0 }),
  ];
  const found: FaultResult[] = [];
  for (const fault of faults) found.push(await runFault(fault, OPTIONS));
  const results: Results = { size: 'full', faults: found.map((result) => ({ ...result, ran })), missing: [] };
  const page = reliabilityPage(JSON.parse(JSON.stringify(results)) as Results, undefined);
  expect(page).toContain('1 of 4 faults held, with their mutants found out. **Did not hold: F2, F3, F4.**');
  expect(page).toContain('- lost usage: 1 (≤ 0) – **broken**');
  expect(page).toContain('- lost usage: not measured (≤ 0) – **broken**');
  expect(found.flatMap(summaryOf).join('\n')).toMatch(/F2 +broken; mutant not run; \d+ s; what F2 does\n +lost usage: 1 \(≤ 0\)/);
});

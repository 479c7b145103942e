import { describe, expect, test } from 'vitest';
import { FAULTS } from './faults/all.js';
import { told } from './judge.js';
import { type FaultResult, runFault } from './run-faults.js';

const RATE = Number(process.env['PROOF_RATE'] ?? 200);
const SEED = Number(process.env['PROOF_SEED'] ?? Date.now() % 2 ** 31);
const TEST_DEADLINE_MS = 240_000;

const small = FAULTS.filter(({ isSmall }) => isSmall);

describe.each(small)('$id: $title', (fault) => {
  let result: FaultResult;

  test(`$promise`, { timeout: TEST_DEADLINE_MS }, async () => {
    result = await runFault(fault, {
      size: 'small',
      judgesTimes: false,
      rate: RATE,
      seed: SEED,
      say: (line) => console.info(line),
    });
    const broken = (result.checks ?? []).filter(({ holds }) => holds === false).map(told);
    expect({ reason: result.reason, broken, seed: SEED }).toEqual({ reason: undefined, broken: [], seed: SEED });
    expect(result.outcome).toBe('held');
  });

  test(`is found out with ${fault.mutant.title}`, () => {
    expect(result.mutant).toMatchObject({ outcome: 'found out' });
  });
});

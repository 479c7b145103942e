import { expect, test } from 'vitest';
import { createLookupGate } from '../src/lookup-gate.js';
import { createMissBudget } from '../src/miss-budget.js';

test.each<[isKnown: boolean | undefined, isPushed: boolean, allowed: number]>([
  [true, true, 100],
  [undefined, true, 100],
  [true, false, 100],
  [false, false, 100],
  [false, true, 10],
])('of 100 look-ups of keys whose being known is %s, with changes pushed: %s, %i are made', (isKnown, isPushed, allowed) => {
  const mayLookUp = createLookupGate({
    known: { has: () => isKnown },
    budget: createMissBudget({ perSecond: 40, burst: 10 }),
    isPushed: () => isPushed,
  });
  expect(Array.from({ length: 100 }, () => mayLookUp('hash', 0)).filter(Boolean)).toHaveLength(allowed);
});

test('keys that are known use up nothing of the budget', () => {
  const budget = createMissBudget({ perSecond: 40, burst: 1 });
  const mayLookUp = createLookupGate({ known: { has: (hash) => hash === 'known' }, budget, isPushed: () => true });
  for (let i = 0; i < 10; i++) mayLookUp('known', 0);
  expect(mayLookUp('new', 0)).toBe(true);
});

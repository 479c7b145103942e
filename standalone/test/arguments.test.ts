import { readArguments } from '@tollgate/standalone/arguments';
import { expect, test } from 'vitest';

test.each([
  [[], { kind: 'run', json: false, infrastructure: false }],
  [['--json'], { kind: 'run', json: true, infrastructure: false }],
  [['--infrastructure'], { kind: 'run', json: false, infrastructure: true }],
  [['-h'], { kind: 'help' }],
  [['--json', '--help'], { kind: 'help' }],
])('%j is understood', (args, expected) => {
  expect(readArguments(args)).toEqual(expected);
});

test.each([[['--jsn']], [['json']], [['--json=yes']]])('%j is refused in one sentence that leads on', (args) => {
  expect(readArguments(args)).toEqual({
    kind: 'wrong',
    problem: expect.stringMatching(/^[^\n]+\. --help shows what there is\.$/),
  });
});

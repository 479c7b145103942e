import { createFailureLog } from '@tollgate/service-kit/failure-log';
import { expect, test } from 'vitest';
import { capturedLog } from './captured-log.js';

test('what breaks every call logs ten lines a second, and then how many were left out', () => {
  const { log, lines } = capturedLog();
  const logFailure = createFailureLog(log);
  for (let i = 0; i < 1000; i++) logFailure(new Error(`failure ${i}`), '/a/b', 5000);
  expect(lines()).toHaveLength(10);
  logFailure(new Error('later'), '/a/b', 6000);
  expect(lines()[10]).toMatchObject({ suppressed: 990, err: { message: 'later' } });
  logFailure(new Error('after the clock went back'), '/a/b', 0);
  expect(lines()[11]).not.toHaveProperty('suppressed');
});

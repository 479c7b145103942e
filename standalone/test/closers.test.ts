import { createClosers } from '@tollgate/standalone/closers';
import { expect, test } from 'vitest';

test('what was started last is ended first, each when the one before it has ended', async () => {
  const said: string[] = [];
  const closers = createClosers(() => {});
  for (const name of ['database', 'service', 'gateway']) {
    closers.add(name, async () => {
      said.push(`${name}…`);
      await new Promise(setImmediate);
      said.push(name);
    });
  }
  await closers.closeAll();
  expect(said).toEqual(['gateway…', 'gateway', 'service…', 'service', 'database…', 'database']);
});

test('a part that cannot be ended is told, and keeps no other part alive', async () => {
  const said: string[] = [];
  const failures: unknown[] = [];
  const closers = createClosers((name, error) => failures.push([name, error]));
  const trouble = new Error('stuck');
  closers.add('database', async () => void said.push('database'));
  closers.add('service', () => Promise.reject(trouble));
  closers.add('gateway', () => {
    throw trouble;
  });
  await closers.closeAll();
  expect(said).toEqual(['database']);
  expect(failures).toEqual([
    ['gateway', trouble],
    ['service', trouble],
  ]);
});

test('closing twice ends everything once, and the second waits for the first', async () => {
  let closes = 0;
  let release: () => void = () => {};
  const closers = createClosers(() => {});
  closers.add('slow', () => {
    closes++;
    return new Promise((resolve) => {
      release = resolve;
    });
  });
  const order: string[] = [];
  const both = [closers.closeAll().then(() => order.push('first')), closers.closeAll().then(() => order.push('second'))];
  await new Promise(setImmediate);
  expect(order).toEqual([]);
  release();
  await Promise.all(both);
  expect([closes, order]).toEqual([1, ['first', 'second']]);
});

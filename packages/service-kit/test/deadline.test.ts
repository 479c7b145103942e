import { DeadlineExceeded, withDeadline } from '@tollgate/service-kit/deadline';
import { afterEach, expect, test, vi } from 'vitest';

afterEach(() => {
  vi.useRealTimers();
});

test('what comes in time is passed on, and no timer stays behind', async () => {
  vi.useFakeTimers();
  expect(await withDeadline(Promise.resolve(7), 1000, 'a look-up')).toBe(7);
  await expect(withDeadline(Promise.reject(new Error('down')), 1000, 'a look-up')).rejects.toThrow('down');
  expect(vi.getTimerCount()).toBe(0);
});

test('what does not come in time is a DeadlineExceeded that names it, and its late failure disturbs nobody', async () => {
  vi.useFakeTimers();
  const late = withResolvers();
  const waited = withDeadline(late.promise, 200, 'a look-up');
  const outcome = expect(waited).rejects.toThrow(new DeadlineExceeded('a look-up took longer than 200 ms'));
  await vi.advanceTimersByTimeAsync(200);
  await outcome;
  late.reject(new Error('too late'));
});

function withResolvers() {
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<void>((_, refuse) => {
    reject = refuse;
  });
  return { promise, reject };
}

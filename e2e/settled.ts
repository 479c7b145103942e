import { until } from '@tollgate/testing/until';

/** What the number is when it has not changed for so long. Throws where it goes on changing. */
export async function settled(read: () => Promise<number>, stillMs: number, deadlineMs: number): Promise<number> {
  let [value, changedMs] = [await read(), performance.now()];
  const isSettled = async () => {
    const now = await read();
    if (now !== value) changedMs = performance.now();
    value = now;
    return performance.now() - changedMs > stillMs;
  };
  await until(isSettled, deadlineMs, 'a number that stays');
  return value;
}

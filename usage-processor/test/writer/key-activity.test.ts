import { expect, test } from 'vitest';
import { createKeyActivity } from '../../src/writer/key-activity.js';

const MINUTE_MS = 60_000;
const use = (api_key_id: string, time: string) => ({ api_key_id, time });

function recorded() {
  const calls: Record<string, string>[] = [];
  const activity = createKeyActivity(async (lastUsed) => {
    calls.push(Object.fromEntries([...lastUsed].map(([key, at]) => [key, at.toISOString()])));
  });
  return { activity, calls };
}

test('the latest use of each key is written, whatever the order of events', async () => {
  const { activity, calls } = recorded();
  activity.saw([
    use('a', '2026-11-23T10:00:05.000000Z'),
    use('a', '2026-11-23T10:00:01.000000Z'),
    use('b', '2026-11-23T10:00:02.000000Z'),
  ]);
  await activity.flush(0);
  expect(calls).toEqual([{ a: '2026-11-23T10:00:05.000Z', b: '2026-11-23T10:00:02.000Z' }]);
});

test('a busy key is written once a minute, and its last use is not forgotten', async () => {
  const { activity, calls } = recorded();
  activity.saw([use('a', '2026-11-23T10:00:00.000000Z')]);
  await activity.flush(0);
  activity.saw([use('a', '2026-11-23T10:00:30.000000Z')]);
  await activity.flush(MINUTE_MS - 1);
  expect(calls).toHaveLength(1);
  await activity.flush(MINUTE_MS);
  expect(calls[1]).toEqual({ a: '2026-11-23T10:00:30.000Z' });
});

test('a database that does not answer costs no use', async () => {
  let isDown = true;
  const written: string[] = [];
  const activity = createKeyActivity(async (lastUsed) => {
    if (isDown) throw new Error('down');
    written.push(...lastUsed.keys());
  });
  activity.saw([use('a', '2026-11-23T10:00:00.000000Z')]);
  await expect(activity.flush(0)).rejects.toThrow('down');
  isDown = false;
  await activity.flush(1);
  expect(written).toEqual(['a']);
});

import { oldGenerationGrowth } from '@tollgate/testing/old-generation';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createOpenStreams } from '../../src/http2/open-streams.js';

test('finds each call that is open and none that is over, however far apart their numbers are', () => {
  const step = fc.record({ skipped: fc.oneof(fc.constant(0), fc.nat(600)), ended: fc.nat(1_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 2_000, size: 'max' }), fc.integer({ min: 1, max: 600 }), (steps, most) => {
      const streams = createOpenStreams<{ id: number }>();
      const open: { id: number }[] = [];
      let id = 1;
      for (const { skipped, ended } of steps) {
        while (open.length >= most) {
          const [over] = open.splice(ended % open.length, 1);
          streams.delete(over as { id: number });
          streams.delete(over as { id: number });
          expect(streams.get(over?.id as number)).toBeUndefined();
        }
        const stream = { id };
        streams.add(stream);
        open.push(stream);
        expect(streams.size).toBe(open.length);
        expect(streams.get(id + 2)).toBeUndefined();
        id += 2 + 2 * skipped;
      }
      for (const stream of open) expect(streams.get(stream.id)).toBe(stream);
      expect(new Set(streams.all())).toEqual(new Set(open));
    }),
    { numRuns: 50 },
  );
});

test('a call that is over is gone with the next young collection, however old the connection is', async () => {
  const streams = createOpenStreams<Call>();
  const grownBytes = await afterManyCalls(streams.add, streams.delete);
  expect(grownBytes).toBeLessThan(2_000_000);
});

test('in a Map it would not be: when V8 has changed that, a Map will do', async () => {
  const map = new Map<number, Call>();
  const grownBytes = await afterManyCalls(
    (call) => map.set(call.id, call),
    ({ id }) => map.delete(id),
  );
  expect(grownBytes).toBeGreaterThan(5_000_000);
});

interface Call {
  id: number;
  body: string;
}

/** By how much the old generation has grown. */
function afterManyCalls(begin: (call: Call) => void, end: (call: Call) => void): Promise<number> {
  begin({ id: 1, body: '' });
  return oldGenerationGrowth(() => {
    for (let id = 3; id < 600_000; id += 2) {
      const call = { id, body: `a body of call ${id}` };
      begin(call);
      end(call);
    }
  });
}

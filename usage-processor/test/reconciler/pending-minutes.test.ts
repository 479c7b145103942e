import fc from 'fast-check';
import { expect, test } from 'vitest';
import { differing, sumOf } from '../../src/reconciler/compare-minutes.js';
import { createPendingMinutes, type PendingMinutes, type SettledWindow } from '../../src/reconciler/pending-minutes.js';

const MINUTE_MS = 60_000;
const ORGANIZATIONS = ['a', 'b'];

interface Line {
  eventId: string;
  organizationId: string;
  minuteMs: number;
  billableUnits: number;
}

const aLine = (n: number, minute: number): Line => ({
  eventId: (n + 1).toString(16).padStart(32, '0'),
  organizationId: ORGANIZATIONS[n % 2] ?? '',
  minuteMs: minute * MINUTE_MS,
  billableUnits: n % 3,
});

/** Reads lines `[from, to)` in one go. */
function read(pending: PendingMinutes, lines: readonly Line[], from: number, to: number): void {
  for (const line of lines.slice(from, to)) pending.add(line, 0);
  pending.readTo('file', to);
}

test('whatever is read, checked and kept in whatever order, and wherever it crashes, each line is kept once', () => {
  const steps = fc.array(fc.oneof(fc.nat(5), fc.constantFrom('check', 'keep', 'crash')), { maxLength: 60 });
  fc.assert(
    fc.property(fc.array(fc.nat(6), { maxLength: 60 }), steps, fc.nat(), (minutes, path, seed) => {
      const lines = minutes.map((minute, n) => aLine(n, minute));
      const kept: SettledWindow['rows'] = [];
      let [pending, position, offset] = [createPendingMinutes(), 0, 0];
      const keepAll = (most: number) => {
        for (let window = pending.settled(); window !== undefined && most > 0; window = pending.settled(), most--) {
          kept.push(...window.rows);
          offset = window.offsets.get('file') ?? offset;
          pending.forget();
        }
      };
      for (const [i, step] of path.entries()) {
        if (typeof step === 'number') {
          read(pending, lines, position, Math.min(position + step, lines.length));
          position = Math.min(position + step, lines.length);
        } else if (step === 'check') {
          const open = pending.unchecked();
          if (open.length > 0) pending.checked(open[(seed + i) % open.length]?.minuteMs ?? 0, new Map());
        } else if (step === 'keep') {
          keepAll(1 + ((seed + i) % 3));
        } else {
          [pending, position] = [createPendingMinutes(), offset];
        }
      }
      read(pending, lines, position, lines.length);
      for (const { minuteMs } of pending.unchecked()) pending.checked(minuteMs, new Map());
      keepAll(Infinity);
      expect(pending.size()).toBe(0);
      expect(kept.reduce((sum, { requests }) => sum + requests, 0)).toBe(lines.length);
      const xor = (all: readonly bigint[]) => all.reduce((sum, each) => sum ^ each, 0n);
      expect(xor(kept.map(({ idsXor }) => idsXor))).toBe(xor(lines.map(({ eventId }) => BigInt(`0x${eventId}`))));
    }),
    { numRuns: 2000 },
  );
});

test('a minute is whole in what is compared, although it was read in parts', () => {
  const pending = createPendingMinutes();
  const lines = [1, 1, 2, 1, 2, 3, 1].map((minute, n) => aLine(n, minute));
  for (let i = 0; i < lines.length; i++) read(pending, lines, i, i + 1);
  const of = (organizationId: string) => sumOf(pending.tallies(MINUTE_MS).get(organizationId) ?? []);
  expect(of('a')).toEqual({ requests: 2, idsXor: 1n ^ 7n });
  expect(of('b')).toEqual({ requests: 2, idsXor: 2n ^ 4n });
  expect(pending.oldestMs()).toBe(MINUTE_MS);
  expect(pending.newestMs()).toBe(3 * MINUTE_MS);
});

test('what is missing, replayed and dead stands in the window that holds it', () => {
  const pending = createPendingMinutes();
  const lines = [1, 1, 2, 1].map((minute, n) => ({ ...aLine(n, minute), organizationId: 'a' }));
  for (let i = 0; i < lines.length; i++) read(pending, lines, i, i + 1);
  const id = (n: number) => lines[n]?.eventId ?? '';
  const outcome = { replayed: new Set([id(0), id(3)]), missing: new Set([id(3)]), deadLettered: new Set([id(3)]) };
  pending.checked(MINUTE_MS, new Map([['a', outcome]]));
  pending.checked(2 * MINUTE_MS, new Map());
  const rows = [];
  for (let window = pending.settled(); window !== undefined; window = pending.settled()) {
    rows.push(...window.rows.filter(({ minuteMs }) => minuteMs === MINUTE_MS));
    pending.forget();
  }
  expect(rows.map(({ requests, recorded, replayed, deadLettered }) => [requests, recorded, replayed, deadLettered])).toEqual([
    [1, 1, 1, 0],
    [1, 1, 0, 0],
    [1, 0, 1, 1],
  ]);
});

test('two sets differ in their number or in their ids, and events that only the database has are no difference of the log', () => {
  const three = { requests: 3, idsXor: 7n };
  const witnessed = new Map([
    ['same', three],
    ['fewer', three],
    ['others', three],
    ['none', three],
  ]);
  const stored = new Map([
    ['same', three],
    ['fewer', { requests: 2, idsXor: 7n }],
    ['others', { requests: 3, idsXor: 6n }],
    ['unknown', three],
  ]);
  expect(differing(witnessed, stored)).toEqual(['fewer', 'others', 'none']);
});

import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openFileEventLogWriter } from '@tollgate/event-log/file/file-event-log-writer';
import { storeUsage } from '@tollgate/postgres/usage-store';
import { readWitnessedFiles } from '@tollgate/postgres/usage-witness';
import { expect, onTestFinished, test } from 'vitest';
import { endedRequestFrom } from '../../src/reconciler/file/ended-request.js';
import { followLog } from '../../src/reconciler/file/follow-log.js';
import { storedUsage } from '../../src/reconciler/postgres/stored-usage.js';
import { createWitnessRounds, type WitnessRoundsNeeds } from '../../src/reconciler/witness-rounds.js';
import { witnessedLine } from '../../src/reconciler/witnessed-line.js';
import { aLine, aWitness, eventOfLine, NODE, sortedIds } from './a-witness.js';

type Change = (needs: WitnessRoundsNeeds) => WitnessRoundsNeeds;

const NOBODY = { inc: () => {} };
const SETTINGS = { path: 'full', identityNamespaces: ['envoy.filters.http.ext_authz'] } as const;

/** Moves on in the file before the event log has acknowledged. */
const keepsBeforeItAppends: Change = (needs) => {
  const offsets = new Map<string, number>();
  return {
    ...needs,
    file: {
      ...needs.file,
      read: (visit) =>
        needs.file.read({
          ...visit,
          readTo(fileId, offset) {
            offsets.set(fileId, offset);
            visit.readTo(fileId, offset);
          },
        }),
    },
    append: async (events) => {
      const files = [...offsets].map(([fileId, nextOffset]) => ({
        ...{ fileId, nextOffset, startOffset: needs.file.keptOffset(fileId) },
      }));
      await needs.stored.keep({ rows: [] }, files, 0);
      needs.file.keep(offsets);
      await needs.append(events);
    },
  };
};

/** Takes as many events for the same events: what is stored differs in its ids only, and that it does not see. */
const trustsCounts: Change = (needs) => ({
  ...needs,
  stored: {
    ...needs.stored,
    storedTotals: async (minuteMs) => {
      const [stored, kept] = [await needs.stored.storedTotals(minuteMs), await needs.stored.keptTotals(minuteMs)];
      const xorOf = ORACLE_XOR;
      return new Map(
        [...stored].map(([organizationId, { requests }]) => [
          organizationId,
          { requests, idsXor: xorOf ^ (kept.get(organizationId)?.idsXor ?? 0n) },
        ]),
      );
    },
  },
});
/** Of all lines of the test, so that the XOR always agrees. */
let ORACLE_XOR = 0n;

/**
 * Twenty requests, of which one is lost on the way and another gateway's event stands in its place, and an event log that
 * fails at first: the process ends there, and the next one goes on. Returns the ids that are missing at the end.
 */
async function missingAfter(change: Change): Promise<string[]> {
  const witness = await aWitness();
  const organizationId = randomUUID();
  const all = Array.from({ length: 20 }, (_, i) => aLine(organizationId, i));
  ORACLE_XOR = all.reduce((xor, line) => xor ^ BigInt(`0x${eventOfLine(line).event_id}`), 0n);
  const place = { group: 'test', logId: 'l', topic: 't', partition: 0, startOffset: 0n, nextOffset: 1n, deadLetters: [] };
  await storeUsage(witness.db, { ...place, events: [...all.slice(1), aLine(organizationId, 7)].map(eventOfLine) });
  await writeFile(witness.file, all.map((line) => `${line}\n`).join(''));
  await witness.writer();
  const eventLog = await openFileEventLogWriter({ folder: join(witness.folder, 'replays') });
  onTestFinished(() => eventLog.close());

  const life = async (append: WitnessRoundsNeeds['append']) => {
    const rounds = createWitnessRounds(
      change({
        file: followLog(witness.file, await readWitnessedFiles(witness.db, NODE), () => {}),
        stored: storedUsage(witness.db, NODE),
        readLine: (line) => witnessedLine(endedRequestFrom(line, NODE), SETTINGS),
        append,
        pause: async () => void (await pause(20)),
        graceMs: 0,
        nowMs: Date.now,
        counters: { line: () => {}, replayed: NOBODY, minutes: NOBODY, gaps: NOBODY },
        state: { driftEvents: 0, checkedUntilMs: 0 },
        onReplay: () => {},
      }),
    );
    await rounds();
  };
  await life(() => Promise.reject(new Error('the event log is full'))).catch(() => {});
  await life((events) => eventLog.append(events));
  const stored = new Set(await witness.storedIds(organizationId));
  return sortedIds(all).filter((id) => !stored.has(id));
}

test('the reconciler leaves nothing missing', async () => {
  expect(await missingAfter((needs) => needs)).toEqual([]);
});

test.each([
  ['moves on in the file before the event log has acknowledged', keepsBeforeItAppends],
  ['trusts that as many events are the same events', trustsCounts],
])('one that %s is found out', async (_, change) => {
  expect(await missingAfter(change)).toHaveLength(1);
});

import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { UsageEvent } from '@tollgate/domain/usage-event';
import type { EventLogWriter } from '../../src/event-log.js';
import { anEvent } from '../an-event.js';

const ORGANIZATIONS = Array.from({ length: 20 }, () => randomUUID());
const TICK_MS = 20;

/** What was appended and acknowledged, to be held against what arrived. */
export interface Account {
  /** Appends at this rate, several at once, whether the ones before are acknowledged or not. */
  appendFor(writer: EventLogWriter, ms: number, eventsPerSecond: number): Promise<void>;
  acknowledged(): number;
  /** Acknowledged events that are not among these, and those that came before an earlier one of their organization. */
  losses(arrived: readonly UsageEvent[]): { lost: number; disordered: number };
}

export function anAccount(): Account {
  const acknowledged: number[] = [];
  let next = 0;
  const eventOf = (number: number): UsageEvent => ({
    ...anEvent(number),
    organization_id: ORGANIZATIONS[number % ORGANIZATIONS.length] ?? '',
  });
  return {
    appendFor: async (writer, ms, eventsPerSecond) => {
      const appends: Promise<void>[] = [];
      const startMs = performance.now();
      const first = next;
      for (let elapsedMs = 0; elapsedMs < ms; elapsedMs = performance.now() - startMs) {
        const due = first + Math.floor((elapsedMs * eventsPerSecond) / 1000);
        const events: UsageEvent[] = [];
        while (next < due) events.push(eventOf(next++));
        appends.push(writer.append(events).then(() => void acknowledged.push(...events.map(numberOf))));
        await pause(TICK_MS);
      }
      await Promise.all(appends);
    },
    acknowledged: () => acknowledged.length,
    losses: (arrived) => {
      const numbers = new Set(arrived.map(numberOf));
      const last = new Map<string, number>();
      const seen = new Set<number>();
      let disordered = 0;
      for (const event of arrived) {
        const number = numberOf(event);
        if (seen.has(number)) continue;
        seen.add(number);
        if (number < (last.get(event.organization_id) ?? -1)) disordered += 1;
        else last.set(event.organization_id, number);
      }
      return { lost: acknowledged.filter((number) => !numbers.has(number)).length, disordered };
    },
  };
}

function numberOf({ event_id }: UsageEvent): number {
  return Number.parseInt(event_id, 16);
}

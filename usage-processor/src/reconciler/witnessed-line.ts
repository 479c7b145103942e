import type { UsageEvent } from '@tollgate/domain/usage-event';
import { type EndedRequest, type UsageEventSettings, usageEventFrom } from '../usage-event.js';
import type { WitnessedEvent } from './pending-minutes.js';
import { MINUTE_MS } from './witness-loop.js';

export type WitnessedLine = { kind: 'event'; event: UsageEvent } | { kind: 'not_usage' | 'refused' | 'unparsable' };

/** What a line of the file log tells, as the collector would have made it of the entry on the stream. */
export function witnessedLine(request: EndedRequest | undefined, settings: UsageEventSettings): WitnessedLine {
  if (request === undefined) return { kind: 'unparsable' };
  const outcome = usageEventFrom(request, settings);
  if (outcome.kind === 'event') return { kind: 'event', event: outcome.event };
  return { kind: outcome.kind === 'refused' ? 'refused' : 'not_usage' };
}

export function witnessedEvent({ event_id, organization_id, time, billable, units }: UsageEvent): WitnessedEvent {
  return { eventId: event_id, organizationId: organization_id, minuteMs: minuteOf(time), billableUnits: billable ? units : 0 };
}

/** The minute in which a time of an event falls, in Unix milliseconds. */
export function minuteOf(time: string): number {
  return Math.floor(Date.parse(time) / MINUTE_MS) * MINUTE_MS;
}

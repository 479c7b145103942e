import { createEventIds, type EventIds } from './event-ids.js';

/** One line of the file log, as far as comparing needs it. */
export interface WitnessedEvent {
  eventId: string;
  organizationId: string;
  /** In which the request began, Unix milliseconds. */
  minuteMs: number;
  /** 0 where it is not billable. */
  billableUnits: number;
}

/** What became of one organization's events of a minute, as ids in hex. */
export interface Outcome {
  replayed: ReadonlySet<string>;
  /** Not stored when they were last looked for. */
  missing: ReadonlySet<string>;
  /** Those of the missing that are dead letters. */
  deadLettered: ReadonlySet<string>;
}

export interface Tally {
  organizationId: string;
  minuteMs: number;
  requests: number;
  billableUnits: number;
  idsXor: bigint;
  ids: EventIds;
}

/** What was read and may be kept as checked: counts, and how far into each file. */
export interface SettledWindow {
  rows: (Omit<Tally, 'ids'> & { recorded: number; replayed: number; deadLettered: number })[];
  offsets: ReadonlyMap<string, number>;
  /** The oldest minute of what still waits when this is kept; Infinity where nothing does. */
  nextMinuteMs: number;
}

export interface PendingMinutes {
  add(event: WitnessedEvent, nowMs: number): void;
  /** All lines of the file before this offset were added, and none after it. */
  readTo(fileId: string, offset: number): void;
  /** Events that wait. */
  size(): number;
  /** The minutes to be checked, oldest first, with the moment at which the first event since the last check was added. */
  unchecked(): { minuteMs: number; addedMs: number }[];
  /** The latest minute in which a request began that was ever added; the oldest of what waits, Infinity where nothing does. */
  newestMs(): number;
  oldestMs(): number;
  /** Of this minute, by organization, all that is not kept yet. */
  tallies(minuteMs: number): Map<string, Tally[]>;
  /** Ends the check of a minute. What is added to it later opens it again. */
  checked(minuteMs: number, outcomes: ReadonlyMap<string, Outcome>): void;
  /** The oldest part of what was read, where all of it is checked; it stays until `forget`. */
  settled(): SettledWindow | undefined;
  forget(): void;
}

interface Window {
  /** By minute and organization. */
  tallies: Map<number, Map<string, Tally>>;
  offsets: Map<string, number>;
}

/**
 * What was read of the file log and is not kept as checked yet. It is cut into windows, one for each minute that begins,
 * which are kept one after the other: a window holds what was written in a while, and so mostly events of one minute,
 * with some of the minute before, and of long streams that began hours ago.
 */
export function createPendingMinutes(): PendingMinutes {
  const windows: Window[] = [aWindow()];
  const unchecked = new Map<number, number>();
  const outcomes = new Map<number, Map<string, Outcome>>();
  let newestMs = 0;
  let size = 0;
  let hasNewMinute = false;

  const last = (): Window => windows.at(-1) as Window;
  return {
    add(event, nowMs) {
      if (event.minuteMs > newestMs) {
        newestMs = event.minuteMs;
        hasNewMinute = true;
      }
      addTo(last(), event);
      size += 1;
      if (!unchecked.has(event.minuteMs)) unchecked.set(event.minuteMs, nowMs);
    },
    readTo(fileId, offset) {
      last().offsets.set(fileId, offset);
      // Only here: where a window ends, reading must be able to begin again.
      if (hasNewMinute) windows.push(aWindow());
      hasNewMinute = false;
    },
    size: () => size,
    unchecked: () => [...unchecked].map(([minuteMs, addedMs]) => ({ minuteMs, addedMs })).sort((a, b) => a.minuteMs - b.minuteMs),
    newestMs: () => newestMs,
    oldestMs: () => oldestOf(windows),
    tallies: (minuteMs) => talliesOf(windows, minuteMs),
    checked(minuteMs, found) {
      unchecked.delete(minuteMs);
      outcomes.set(minuteMs, merged(outcomes.get(minuteMs), found));
    },
    settled() {
      const [first] = windows;
      if (first === undefined || (first.tallies.size === 0 && first.offsets.size === 0)) return undefined;
      if ([...first.tallies.keys()].some((minuteMs) => unchecked.has(minuteMs))) return undefined;
      return { ...settledWindow(first, outcomes), nextMinuteMs: oldestOf(windows.slice(1)) };
    },
    forget() {
      const gone = windows.shift();
      if (windows.length === 0) windows.push(aWindow());
      for (const [minuteMs, tallies] of gone?.tallies ?? []) {
        for (const { requests } of tallies.values()) size -= requests;
        if (!windows.some((window) => window.tallies.has(minuteMs))) outcomes.delete(minuteMs);
      }
    },
  };
}

function aWindow(): Window {
  return { tallies: new Map(), offsets: new Map() };
}

function addTo({ tallies }: Window, { eventId, organizationId, minuteMs, billableUnits }: WitnessedEvent): void {
  const ofMinute = tallies.get(minuteMs) ?? new Map<string, Tally>();
  tallies.set(minuteMs, ofMinute);
  const tally = ofMinute.get(organizationId) ?? {
    ...{ organizationId, minuteMs, requests: 0, billableUnits: 0, idsXor: 0n, ids: createEventIds() },
  };
  ofMinute.set(organizationId, tally);
  tally.requests += 1;
  tally.billableUnits += billableUnits;
  tally.idsXor ^= BigInt(`0x${eventId}`);
  tally.ids.add(eventId);
}

function talliesOf(windows: readonly Window[], minuteMs: number): Map<string, Tally[]> {
  const found = new Map<string, Tally[]>();
  for (const window of windows) {
    for (const [organizationId, tally] of window.tallies.get(minuteMs) ?? []) {
      found.set(organizationId, [...(found.get(organizationId) ?? []), tally]);
    }
  }
  return found;
}

/** What was replayed stays so; what was missing may have come. */
function merged(before: ReadonlyMap<string, Outcome> | undefined, found: ReadonlyMap<string, Outcome>): Map<string, Outcome> {
  const all = new Map(before);
  for (const [organizationId, outcome] of found) {
    const replayed = new Set([...(before?.get(organizationId)?.replayed ?? []), ...outcome.replayed]);
    all.set(organizationId, { ...outcome, replayed });
  }
  return all;
}

function oldestOf(windows: readonly Window[]): number {
  return Math.min(...windows.flatMap(({ tallies }) => [...tallies.keys()]));
}

function settledWindow(window: Window, outcomes: ReadonlyMap<number, ReadonlyMap<string, Outcome>>) {
  const rows = [...window.tallies.values()].flatMap((ofMinute) =>
    [...ofMinute.values()].map(({ ids, ...tally }) => {
      const outcome = outcomes.get(tally.minuteMs)?.get(tally.organizationId);
      const count = (set: ReadonlySet<string> | undefined) => (set?.size ? [...ids].filter((id) => set.has(id)).length : 0);
      return {
        ...tally,
        recorded: tally.requests - count(outcome?.missing),
        replayed: count(outcome?.replayed),
        deadLettered: count(outcome?.deadLettered),
      };
    }),
  );
  return { rows, offsets: window.offsets };
}

import type { UsageEvent } from '@tollgate/domain/usage-event';
import { type CheckNeeds, checkMinute, countOf, type Missing } from './check-minute.js';
import { createPendingMinutes, type SettledWindow, type Tally } from './pending-minutes.js';
import type { WitnessLog } from './witness-log.js';
import { MAX_PENDING_EVENTS, witnessRound } from './witness-loop.js';
import { minuteOf, type WitnessedLine, witnessedEvent } from './witnessed-line.js';

/** What the database knows of one gateway's usage, and keeps. */
export type StoredUsage = Omit<CheckNeeds, 'replay' | 'sawMissing' | 'pause'> & {
  /** All or nothing. Rejects where a file is not where this reader left it. */
  keep(window: Pick<SettledWindow, 'rows'>, files: readonly ReadFile[], checkedUntilMs: number): Promise<void>;
};

export interface ReadFile {
  fileId: string;
  startOffset: number;
  nextOffset: number;
}

export interface WitnessState {
  /** Missing when they were last looked for. */
  driftEvents: number;
  /** Everything before it is checked. */
  checkedUntilMs: number;
}

export interface WitnessRoundsNeeds extends Pick<CheckNeeds, 'pause'> {
  file: Pick<WitnessLog, 'read' | 'reread' | 'keep' | 'keptOffset'>;
  stored: StoredUsage;
  readLine(line: string): WitnessedLine;
  /** Resolves when the event log has acknowledged the events. */
  append(events: readonly UsageEvent[]): Promise<void>;
  graceMs: number;
  nowMs(): number;
  counters: { line(kind: WitnessedLine['kind']): void; replayed: Counter; minutes: Counter; gaps: Counter };
  /** Kept up to date for those who look. */
  state: WitnessState;
  onReplay(minute: Date, events: number): void;
}

interface Counter {
  inc(by?: number): void;
}

/** Rounds of {@link witnessRound} over one gateway's file log; call one after the other. */
export function createWitnessRounds(needs: WitnessRoundsNeeds): () => Promise<void> {
  const { file, stored, counters, state, graceMs, nowMs } = needs;
  const pending = createPendingMinutes();
  let keptUntilMs = 0;

  const readOn = () =>
    file.read({
      line(line) {
        const found = needs.readLine(line);
        counters.line(found.kind);
        if (found.kind === 'event') pending.add(witnessedEvent(found.event), nowMs());
      },
      readTo: pending.readTo,
      isFull: () => pending.size() >= MAX_PENDING_EVENTS,
    });
  const check = async (minuteMs: number, tallies: ReadonlyMap<string, Tally[]>) => {
    const outcomes = await checkMinute(minuteMs, tallies, {
      ...stored,
      pause: needs.pause,
      replay: (_, missing) => replay(minuteMs, missing, needs),
      sawMissing: (events) => {
        state.driftEvents = events;
      },
    });
    counters.minutes.inc();
    counters.gaps.inc(countOf(new Map([...outcomes].map(([organizationId, { missing }]) => [organizationId, missing]))));
    return outcomes;
  };
  const keep = async (window: SettledWindow, checkedUntilMs: number) => {
    if (window.offsets.size === 0 && checkedUntilMs <= keptUntilMs) return;
    const files = [...window.offsets].map(([fileId, nextOffset]) => ({
      fileId,
      startOffset: file.keptOffset(fileId),
      nextOffset,
    }));
    await stored.keep(window, files, checkedUntilMs);
    file.keep(window.offsets);
    keptUntilMs = checkedUntilMs;
  };
  return async () => {
    state.checkedUntilMs = await witnessRound({ pending, readOn, check, keep, graceMs, nowMs });
    state.driftEvents = 0;
  };
}

/** The lines are read again: only ids are kept in memory. */
async function replay(
  minuteMs: number,
  missing: Missing,
  { file, readLine, append, counters, onReplay }: WitnessRoundsNeeds,
): Promise<number> {
  let replayed = 0;
  await file.reread(async (lines) => {
    const found = lines.map(readLine).flatMap((each) => (each.kind === 'event' ? [each.event] : []));
    const events = found.filter(
      ({ time, organization_id, event_id }) => minuteOf(time) === minuteMs && missing.get(organization_id)?.has(event_id),
    );
    if (events.length === 0) return;
    await append(events);
    counters.replayed.inc(events.length);
    replayed += events.length;
  });
  onReplay(new Date(minuteMs), replayed);
  return replayed;
}

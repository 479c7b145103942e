import { differing, sumOf, type Totals } from './compare-minutes.js';
import type { Outcome, Tally } from './pending-minutes.js';

/** Ids of missing events, by organization. */
export type Missing = ReadonlyMap<string, ReadonlySet<string>>;

export interface CheckNeeds {
  /** Of the minute, by organization: what is stored, and what earlier checks have kept as witnessed. */
  storedTotals(minuteMs: number): Promise<ReadonlyMap<string, Totals>>;
  keptTotals(minuteMs: number): Promise<ReadonlyMap<string, Totals>>;
  /** Those of the ids that are not stored. */
  findMissing(organizationId: string, minuteMs: number, ids: readonly string[]): Promise<string[]>;
  findDeadLettered(ids: readonly string[]): Promise<string[]>;
  /** When the newest stored request since this minute began. */
  newestStoredMs(minuteMs: number): Promise<number | undefined>;
  /** Another text whenever the writer has stored something. */
  writerProgress(): Promise<string>;
  /** Resolves when the event log has acknowledged the events of these ids, with how many of them are still in the file. */
  replay(minuteMs: number, missing: Missing): Promise<number>;
  /** Told how many are missing at each look. */
  sawMissing(events: number): void;
  /** Rejects when the process closes. */
  pause(): Promise<void>;
}

/** What the writer refuses once it refuses always: more replays change nothing, and a gap with a name is worth more. */
const MAX_REPLAYS = 3;
/** Looks without any change, after which what is missing will not come by itself. */
const STILL_LOOKS = 3;
const IDS_A_QUERY = 50_000;
/** What began later than this after a minute has come after all of the minute that was not lost, streams apart. */
const PASSED_MS = 70_000;

/**
 * Compares a minute with what is stored of it, replays what is missing, and returns by organization what was replayed and
 * what is missing even so. It goes on for as long as the writer does nothing: then nobody can tell what is lost.
 */
export async function checkMinute(
  minuteMs: number,
  tallies: ReadonlyMap<string, Tally[]>,
  needs: CheckNeeds,
): Promise<Map<string, Outcome>> {
  const replayed = new Map<string, Set<string>>();
  const look = async () => {
    const missing = await missingOf(minuteMs, tallies, needs);
    needs.sawMissing(countOf(missing));
    return missing;
  };
  let missing = await untilStill(minuteMs, look, undefined, needs);
  for (let replays = 0; missing.size > 0 && replays < MAX_REPLAYS; replays++) {
    const before = await needs.writerProgress();
    if ((await needs.replay(minuteMs, missing)) === 0) break;
    for (const [organizationId, ids] of missing) {
      replayed.set(organizationId, new Set([...(replayed.get(organizationId) ?? []), ...ids]));
    }
    missing = await untilStill(minuteMs, look, before, needs);
  }
  return outcomesOf(missing, replayed, needs);
}

async function missingOf(minuteMs: number, tallies: ReadonlyMap<string, Tally[]>, needs: CheckNeeds): Promise<Missing> {
  const [stored, kept] = await Promise.all([needs.storedTotals(minuteMs), needs.keptTotals(minuteMs)]);
  const witnessed = new Map<string, Totals>();
  for (const [organizationId, parts] of tallies) {
    const before = kept.get(organizationId);
    witnessed.set(organizationId, sumOf(before === undefined ? parts : [...parts, before]));
  }
  const missing = new Map<string, Set<string>>();
  for (const organizationId of differing(witnessed, stored)) {
    const ids = await missingIds(organizationId, minuteMs, tallies.get(organizationId) ?? [], needs);
    if (ids.size > 0) missing.set(organizationId, ids);
  }
  return missing;
}

async function missingIds(organizationId: string, minuteMs: number, parts: readonly Tally[], needs: CheckNeeds) {
  const found = new Set<string>();
  for (const { ids } of parts) {
    let some: string[] = [];
    const ask = async () => {
      for (const id of await needs.findMissing(organizationId, minuteMs, some)) found.add(id);
      some = [];
    };
    for (const id of ids) {
      some.push(id);
      if (some.length === IDS_A_QUERY) await ask();
    }
    if (some.length > 0) await ask();
  }
  return found;
}

/**
 * Looks until nothing is missing, or until what is missing will not come by itself: it becomes no less, and the writer has
 * passed the minute or does not come nearer to it. After a replay (`before` is the writer's progress at its time) also
 * until the writer has stored something, for as long as that takes.
 */
async function untilStill(
  minuteMs: number,
  look: () => Promise<Missing>,
  before: string | undefined,
  needs: CheckNeeds,
): Promise<Missing> {
  let missing = await look();
  let newestMs: number | undefined;
  for (let still = 0; missing.size > 0 && still < STILL_LOOKS; ) {
    await needs.pause();
    const again = await look();
    const newest = await needs.newestStoredMs(minuteMs);
    const comesNearer = newest !== newestMs && newest !== undefined && newest < minuteMs + PASSED_MS;
    const hasStored = before === undefined || (await needs.writerProgress()) !== before;
    still = countOf(again) < countOf(missing) || comesNearer || !hasStored ? 0 : still + 1;
    [missing, newestMs] = [again, newest];
  }
  return missing;
}

async function outcomesOf(
  missing: Missing,
  replayed: ReadonlyMap<string, Set<string>>,
  needs: CheckNeeds,
): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  for (const organizationId of new Set([...replayed.keys(), ...missing.keys()])) {
    const lost = missing.get(organizationId) ?? new Set();
    const deadLettered = lost.size === 0 ? new Set<string>() : new Set(await needs.findDeadLettered([...lost]));
    outcomes.set(organizationId, { replayed: replayed.get(organizationId) ?? new Set(), missing: lost, deadLettered });
  }
  return outcomes;
}

export function countOf(missing: Missing): number {
  return [...missing.values()].reduce((sum, { size }) => sum + size, 0);
}

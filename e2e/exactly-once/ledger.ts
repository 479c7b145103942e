/** Compares what is stored with what was told, by the id of each event and by sums, and writes down every difference. */
import type { ExpectedEvent } from './ended-calls.js';
import type { Pipeline } from './pipeline.js';

export interface Differences {
  lost: number;
  /** Stored more than once, under whatever time. */
  doubled: number;
  /** Stored, though nobody told of it. */
  invented: number;
  /** Of those that are stored once, how many have another time, organization, or number of units. */
  changed: number;
  /** Organizations whose rows do not sum up to what was told, and those whose hours do not. */
  organizationsOff: number;
  hoursOff: number;
  deadLetters: number;
  /** How often the offset of a partition went back. */
  offsetsBack: number;
}

export const NO_DIFFERENCE: Differences = {
  ...{ lost: 0, doubled: 0, invented: 0, changed: 0 },
  ...{ organizationsOff: 0, hoursOff: 0, deadLetters: 0, offsetsBack: 0 },
};

/** Has the database itself write down when an offset goes back, which no row of usage may show. */
export async function watchOffsets({ sql }: Pipeline): Promise<void> {
  await sql(`CREATE TABLE offsets_back (at timestamptz NOT NULL DEFAULT now())`);
  await sql(`CREATE FUNCTION note_offset_back() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO offsets_back DEFAULT VALUES; RETURN NULL; END $$`);
  await sql(`CREATE TRIGGER offset_went_back AFTER UPDATE ON consumer_offsets FOR EACH ROW
    WHEN (new.next_offset < old.next_offset AND current_setting('test.replays', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION note_offset_back()`);
}

export async function differences({ sql }: Pipeline, expected: readonly ExpectedEvent[]): Promise<Differences> {
  const found = { ...NO_DIFFERENCE };
  const stored = await sql<{
    id: string;
    organization_id: string;
    micros: string;
    units: number;
    billable: boolean;
    copies: string;
  }>(
    `SELECT replace(event_id::text, '-', '') AS id, min(organization_id::text) AS organization_id,
       min((extract(epoch FROM time) * 1000000)::bigint) AS micros, min(units) AS units, bool_and(billable) AS billable, count(*) AS copies
     FROM usage_events GROUP BY event_id`,
  );
  const byId = new Map(stored.map((row) => [row.id, row]));
  for (const event of expected) {
    const row = byId.get(event.eventId);
    byId.delete(event.eventId);
    if (row === undefined) found.lost++;
    else if (row.copies !== '1') found.doubled += Number(row.copies) - 1;
    else if (!isSame(row, event)) found.changed++;
  }
  found.invented = byId.size;
  found.organizationsOff = await organizationsOff(sql, 'usage_events_summed', expected);
  found.hoursOff = await organizationsOff(sql, 'hours_summed', expected);
  found.deadLetters = Number((await sql<{ count: string }>('SELECT count(*) FROM usage_dead_letters'))[0]?.count);
  found.offsetsBack = Number((await sql<{ count: string }>('SELECT count(*) FROM offsets_back'))[0]?.count);
  return found;
}

function isSame(
  row: { organization_id: string; micros: string; units: number; billable: boolean },
  event: ExpectedEvent,
): boolean {
  const isSamePlace = row.organization_id === event.organizationId && BigInt(row.micros) === event.startMicros;
  return isSamePlace && row.units === event.units && row.billable === event.isBillable;
}

const SUMS = {
  usage_events_summed: `SELECT organization_id, count(*) AS requests, sum(CASE WHEN billable THEN units ELSE 0 END) AS units,
    sum(request_bytes + response_bytes) AS bytes FROM usage_events GROUP BY 1`,
  hours_summed: `SELECT organization_id, sum(requests) AS requests, sum(billable_units) AS units,
    sum(request_bytes + response_bytes) AS bytes FROM usage_hourly GROUP BY 1`,
};

async function organizationsOff(
  sql: Pipeline['sql'],
  sums: keyof typeof SUMS,
  expected: readonly ExpectedEvent[],
): Promise<number> {
  const told = new Map<string, { requests: number; units: number; bytes: number }>();
  for (const { organizationId, isBillable, units, bytes } of expected) {
    const sum = told.get(organizationId) ?? { requests: 0, units: 0, bytes: 0 };
    told.set(organizationId, {
      requests: sum.requests + 1,
      units: sum.units + (isBillable ? units : 0),
      bytes: sum.bytes + bytes,
    });
  }
  const rows = await sql<{ organization_id: string; requests: string; units: string; bytes: string }>(SUMS[sums]);
  const stored = new Map(rows.map((row) => [row.organization_id, `${row.requests} ${row.units} ${row.bytes}`]));
  let off = 0;
  for (const [id, { requests, units, bytes }] of told) if (stored.get(id) !== `${requests} ${units} ${bytes}`) off++;
  return off + [...stored.keys()].filter((id) => !told.has(id)).length;
}

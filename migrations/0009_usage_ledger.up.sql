-- Which Envoy node served a request, so that what arrived can be compared with that node's own log, and which limit in shadow
-- mode it exceeded. "All of one node in one minute" is served by the primary key, which begins with the time.
ALTER TABLE usage_events
  ADD COLUMN node_id text NOT NULL DEFAULT '',
  ADD COLUMN shadow_limited text CHECK (shadow_limited IN ('minute', 'day', 'month'));

-- When what could not be an event became one after all.
ALTER TABLE usage_dead_letters ADD COLUMN replayed_at timestamptz;

-- All organizations in a range of hours; the primary key begins with the organization.
CREATE INDEX usage_hourly_hour_idx ON usage_hourly (hour, organization_id);

-- Up to where raw events were dropped: one row. A sum that would need them is an error, and never too small.
CREATE TABLE usage_raw_horizon (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  dropped_before timestamptz NOT NULL
);

-- A database with usage may have dropped some before this was written down.
INSERT INTO usage_raw_horizon (dropped_before)
  SELECT CASE WHEN EXISTS (SELECT FROM usage_hourly) THEN date_trunc('day', now(), 'UTC') - interval '90 days' ELSE '-infinity' END;

-- True where the raw events lie in a hypertable, which makes its own partitions, and not in a partitioned table.
CREATE FUNCTION is_usage_in_hypertable() RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT relkind = 'r' FROM pg_class WHERE oid = 'usage_events'::regclass
$$;

CREATE OR REPLACE FUNCTION create_usage_partitions(days date[]) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  day date;
  child text;
  made int := 0;
BEGIN
  IF NOT EXISTS (SELECT FROM unnest(days) AS d WHERE to_regclass('usage_events_' || to_char(d, 'YYYYMMDD')) IS NULL)
    OR is_usage_in_hypertable()
  THEN
    RETURN 0;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('tollgate usage partitions', 0));
  FOR day IN SELECT DISTINCT d FROM unnest(days) AS d ORDER BY d LOOP
    child := 'usage_events_' || to_char(day, 'YYYYMMDD');
    CONTINUE WHEN to_regclass(child) IS NOT NULL;
    EXECUTE format('CREATE TABLE %I (LIKE usage_events INCLUDING ALL)', child);
    EXECUTE format('ALTER TABLE usage_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
      child, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
    made := made + 1;
  END LOOP;
  RETURN made;
END
$$;

-- Drops the raw events of all days before this one, and says how many days that were.
CREATE OR REPLACE FUNCTION drop_usage_partitions(before date) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  horizon timestamptz := before::timestamp AT TIME ZONE 'UTC';
  child text;
  dropped int := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('tollgate usage partitions', 0));
  UPDATE usage_raw_horizon SET dropped_before = horizon WHERE dropped_before < horizon;
  IF is_usage_in_hypertable() THEN
    SELECT count(DISTINCT range_end) INTO dropped FROM timescaledb_information.chunks
      WHERE hypertable_name = 'usage_events' AND range_end <= horizon;
    PERFORM drop_chunks('usage_events', older_than => horizon);
    RETURN dropped;
  END IF;
  FOR child IN
    SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'usage_events'::regclass AND right(c.relname, 8) < to_char(before, 'YYYYMMDD')
    ORDER BY c.relname
  LOOP
    EXECUTE format('DROP TABLE %I', child);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END
$$;

-- From when on every raw event is certain to be there. TimescaleDB's own retention drops without writing down that it did.
CREATE FUNCTION usage_raw_since() RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT greatest(dropped_before, CASE WHEN is_usage_in_hypertable() THEN now() - interval '90 days' END) FROM usage_raw_horizon
$$;

-- The whole hours within a half-open range; the rests before and after them need raw events. TG001 says why a range cannot be told.
CREATE FUNCTION usage_whole_hours(from_time timestamptz, to_time timestamptz, OUT first_hour timestamptz, OUT last_hour timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
  raw_from timestamptz;
BEGIN
  IF from_time IS NULL OR to_time IS NULL THEN
    RAISE EXCEPTION 'the range needs a beginning and an end' USING ERRCODE = 'TG001';
  END IF;
  IF from_time > to_time THEN
    RAISE EXCEPTION 'the range must not end before it begins' USING ERRCODE = 'TG001';
  END IF;
  first_hour := date_trunc('hour', from_time, 'UTC');
  IF first_hour < from_time THEN
    first_hour := first_hour + interval '1 hour';
  END IF;
  first_hour := least(first_hour, to_time);
  last_hour := greatest(date_trunc('hour', to_time, 'UTC'), first_hour);
  raw_from := CASE WHEN from_time < first_hour THEN from_time WHEN last_hour < to_time THEN last_hour END;
  IF raw_from < usage_raw_since() THEN
    RAISE EXCEPTION 'single requests are kept for 90 days, and those before % are gone: before that, ranges are in whole hours (UTC)',
      to_char(usage_raw_since() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') USING ERRCODE = 'TG001';
  END IF;
END
$$;

-- What an organization used in a half-open range, exact to the microsecond: an hour at a time, and the rests of the hours at its edges.
CREATE FUNCTION usage_slices(organization uuid, from_time timestamptz, to_time timestamptz) RETURNS TABLE (
  "time" timestamptz, requests bigint, billable_requests bigint, billable_units bigint, request_bytes numeric, response_bytes numeric,
  sum_response_time_ms double precision, max_response_time_ms double precision
) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
  first_hour timestamptz;
  last_hour timestamptz;
BEGIN
  SELECT h.first_hour, h.last_hour INTO first_hour, last_hour FROM usage_whole_hours(from_time, to_time) AS h;
  IF organization IS NULL THEN
    RAISE EXCEPTION 'the organization is missing' USING ERRCODE = 'TG001';
  END IF;
  RETURN QUERY
    SELECT h.hour, h.requests, h.billable_requests, h.billable_units, h.request_bytes, h.response_bytes, h.sum_response_time_ms,
      h.max_response_time_ms
    FROM usage_hourly AS h
    WHERE h.organization_id = usage_slices.organization AND h.hour >= first_hour AND h.hour < last_hour;
  RETURN QUERY
    SELECT date_trunc('hour', e.time, 'UTC'), count(*), count(*) FILTER (WHERE e.billable),
      coalesce(sum(e.units) FILTER (WHERE e.billable), 0), sum(e.request_bytes), sum(e.response_bytes), sum(e.response_time_ms),
      max(e.response_time_ms)
    FROM usage_events AS e
    WHERE e.organization_id = usage_slices.organization AND e.time >= from_time AND e.time < first_hour GROUP BY 1;
  RETURN QUERY
    SELECT date_trunc('hour', e.time, 'UTC'), count(*), count(*) FILTER (WHERE e.billable),
      coalesce(sum(e.units) FILTER (WHERE e.billable), 0), sum(e.request_bytes), sum(e.response_bytes), sum(e.response_time_ms),
      max(e.response_time_ms)
    FROM usage_events AS e
    WHERE e.organization_id = usage_slices.organization AND e.time >= last_hour AND e.time < to_time GROUP BY 1;
END
$$;

-- One row, of zeros where nothing was used.
CREATE FUNCTION usage_in_period(organization uuid, from_time timestamptz, to_time timestamptz) RETURNS TABLE (
  requests bigint, billable_requests bigint, billable_units bigint, request_bytes numeric, response_bytes numeric,
  sum_response_time_ms double precision, max_response_time_ms double precision
) LANGUAGE sql STABLE AS $$
  SELECT coalesce(sum(s.requests), 0)::bigint, coalesce(sum(s.billable_requests), 0)::bigint, coalesce(sum(s.billable_units), 0)::bigint,
    coalesce(sum(s.request_bytes), 0), coalesce(sum(s.response_bytes), 0), coalesce(sum(s.sum_response_time_ms), 0),
    coalesce(max(s.max_response_time_ms), 0)
  FROM usage_slices(organization, from_time, to_time) AS s
$$;

-- By route, key or status, the busiest first. All of it comes from raw events, since no aggregate knows them.
CREATE FUNCTION usage_by_group(organization uuid, from_time timestamptz, to_time timestamptz, part_by text) RETURNS TABLE (
  usage_group text, requests bigint, billable_requests bigint, billable_units bigint, request_bytes numeric, response_bytes numeric,
  sum_response_time_ms double precision, max_response_time_ms double precision
) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
  PERFORM usage_whole_hours(from_time, to_time);
  IF organization IS NULL OR part_by IS NULL OR part_by NOT IN ('route', 'key', 'status') THEN
    RAISE EXCEPTION 'usage is parted by route, key or status of one organization' USING ERRCODE = 'TG001';
  END IF;
  IF from_time < least(usage_raw_since(), to_time) THEN
    RAISE EXCEPTION 'single requests are kept for 90 days, and those before % are gone: before that, usage cannot be split by route, key or status',
      to_char(usage_raw_since() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') USING ERRCODE = 'TG001';
  END IF;
  RETURN QUERY
    SELECT e.usage_group, count(*), count(*) FILTER (WHERE e.billable), coalesce(sum(e.units) FILTER (WHERE e.billable), 0),
      sum(e.request_bytes), sum(e.response_bytes), sum(e.response_time_ms), max(e.response_time_ms)
    FROM (
      SELECT CASE part_by WHEN 'route' THEN route WHEN 'key' THEN api_key_id::text ELSE status_code::text END AS usage_group,
        billable, units, usage_events.request_bytes, usage_events.response_bytes, response_time_ms
      FROM usage_events
      WHERE organization_id = usage_by_group.organization AND time >= from_time AND time < to_time
    ) AS e
    GROUP BY e.usage_group ORDER BY 2 DESC, e.usage_group COLLATE "C";
END
$$;

CREATE FUNCTION usage_by_route(organization uuid, from_time timestamptz, to_time timestamptz) RETURNS TABLE (
  route text, requests bigint, billable_requests bigint, billable_units bigint, request_bytes numeric, response_bytes numeric,
  sum_response_time_ms double precision, max_response_time_ms double precision
) LANGUAGE sql STABLE AS $$
  SELECT * FROM usage_by_group(organization, from_time, to_time, 'route')
$$;

-- Those with the most billable units first.
CREATE FUNCTION usage_top_organizations(from_time timestamptz, to_time timestamptz, most int DEFAULT 10) RETURNS TABLE (
  organization_id uuid, requests bigint, billable_requests bigint, billable_units bigint
) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
  first_hour timestamptz;
  last_hour timestamptz;
BEGIN
  SELECT h.first_hour, h.last_hour INTO first_hour, last_hour FROM usage_whole_hours(from_time, to_time) AS h;
  IF most IS NULL OR most < 1 THEN
    RAISE EXCEPTION 'how many organizations must be at least 1' USING ERRCODE = 'TG001';
  END IF;
  RETURN QUERY
    SELECT part.organization_id, sum(part.requests)::bigint, sum(part.billable_requests)::bigint, sum(part.billable_units)::bigint
    FROM (
      SELECT h.organization_id, h.requests, h.billable_requests, h.billable_units
      FROM usage_hourly AS h WHERE h.hour >= first_hour AND h.hour < last_hour
      UNION ALL
      SELECT e.organization_id, 1, e.billable::int, CASE WHEN e.billable THEN e.units ELSE 0 END
      FROM usage_events AS e WHERE e.time >= from_time AND e.time < first_hour
      UNION ALL
      SELECT e.organization_id, 1, e.billable::int, CASE WHEN e.billable THEN e.units ELSE 0 END
      FROM usage_events AS e WHERE e.time >= last_hour AND e.time < to_time
    ) AS part
    GROUP BY 1 ORDER BY 4 DESC, 2 DESC, 1 LIMIT most;
END
$$;

-- The billing month that a moment falls in, in UTC. An anchor day that a month lacks (31 in June) is its last day.
CREATE FUNCTION billing_month(anchor_day int, at timestamptz, OUT period_start timestamptz, OUT period_end timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
  first_day timestamp := date_trunc('month', at AT TIME ZONE 'UTC');
  anchor interval;
BEGIN
  IF anchor_day IS NULL OR anchor_day NOT BETWEEN 1 AND 31 OR at IS NULL THEN
    RAISE EXCEPTION 'a billing anchor day is 1 to 31' USING ERRCODE = 'TG001';
  END IF;
  anchor := make_interval(days => anchor_day - 1);
  IF least(first_day + anchor, first_day + interval '1 month' - interval '1 day') > at AT TIME ZONE 'UTC' THEN
    first_day := first_day - interval '1 month';
  END IF;
  period_start := least(first_day + anchor, first_day + interval '1 month' - interval '1 day') AT TIME ZONE 'UTC';
  first_day := first_day + interval '1 month';
  period_end := least(first_day + anchor, first_day + interval '1 month' - interval '1 day') AT TIME ZONE 'UTC';
END
$$;

-- What an organization used in the billing month that this moment falls in, up to now.
CREATE FUNCTION current_month_usage(organization uuid, anchor_day int DEFAULT 1, at timestamptz DEFAULT now()) RETURNS TABLE (
  period_start timestamptz, period_end timestamptz, requests bigint, billable_requests bigint, billable_units bigint,
  request_bytes numeric, response_bytes numeric, sum_response_time_ms double precision, max_response_time_ms double precision
) LANGUAGE sql STABLE AS $$
  SELECT m.period_start, m.period_end, u.* FROM billing_month(anchor_day, at) AS m,
    LATERAL usage_in_period(organization, m.period_start, m.period_end) AS u
$$;

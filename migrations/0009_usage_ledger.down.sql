DROP FUNCTION current_month_usage(uuid, int, timestamptz);
DROP FUNCTION billing_month(int, timestamptz);
DROP FUNCTION usage_top_organizations(timestamptz, timestamptz, int);
DROP FUNCTION usage_by_route(uuid, timestamptz, timestamptz);
DROP FUNCTION usage_by_group(uuid, timestamptz, timestamptz, text);
DROP FUNCTION usage_in_period(uuid, timestamptz, timestamptz);
DROP FUNCTION usage_slices(uuid, timestamptz, timestamptz);
DROP FUNCTION usage_whole_hours(timestamptz, timestamptz);
DROP FUNCTION usage_raw_since();

CREATE OR REPLACE FUNCTION create_usage_partitions(days date[]) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  day date;
  child text;
  made int := 0;
BEGIN
  IF NOT EXISTS (SELECT FROM unnest(days) AS d WHERE to_regclass('usage_events_' || to_char(d, 'YYYYMMDD')) IS NULL) THEN
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

CREATE OR REPLACE FUNCTION drop_usage_partitions(before date) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  child text;
  dropped int := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('tollgate usage partitions', 0));
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

DROP FUNCTION is_usage_in_hypertable();
DROP TABLE usage_raw_horizon;
DROP INDEX usage_hourly_hour_idx;
ALTER TABLE usage_dead_letters DROP COLUMN replayed_at;
ALTER TABLE usage_events DROP COLUMN shadow_limited, DROP COLUMN node_id;

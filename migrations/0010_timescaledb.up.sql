-- With TimescaleDB, raw events lie in a hypertable that is compressed, and days and months are kept as continuous aggregates. The
-- names and columns are the same as on plain PostgreSQL. usage_hourly stays a table that the writer updates in the transaction of
-- its events: it is exact at once, however late an event is, and it is never dropped, so that no refresh of the days and months over
-- it can lose a sum whose raw events are gone.

CREATE FUNCTION is_timescaledb_wanted() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF lower(current_setting('tollgate.timescaledb', true)) IN ('off', 'false', 'no', '0') THEN
    RETURN false;
  END IF;
  -- Compression and continuous aggregates are not in the edition of the Apache licence.
  IF current_setting('timescaledb.license', true) = 'apache' THEN
    RETURN false;
  END IF;
  -- A server that has the extension's files but did not load them at its start cannot create it; one that did has this setting.
  RETURN EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
    OR (EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
      AND current_setting('timescaledb.disable_load', true) = 'off');
END
$$;

-- Moves usage into hypertables, with all of its rows. Writers wait meanwhile, or try again.
CREATE FUNCTION usage_to_timescaledb() RETURNS void LANGUAGE plpgsql AS $body$
BEGIN
  CREATE EXTENSION IF NOT EXISTS timescaledb;
  PERFORM pg_advisory_xact_lock(hashtextextended('tollgate usage partitions', 0));

  DROP VIEW usage_monthly;
  DROP VIEW usage_daily;
  ALTER TABLE usage_events RENAME CONSTRAINT usage_events_pkey TO usage_events_old_pkey;
  ALTER INDEX usage_events_organization_id_idx RENAME TO usage_events_old_idx;
  ALTER TABLE usage_events RENAME TO usage_events_old;
  CREATE TABLE usage_events (LIKE usage_events_old INCLUDING ALL);
  ALTER INDEX usage_events_organization_id_time_idx RENAME TO usage_events_organization_id_idx;
  PERFORM create_hypertable('usage_events', by_range('time', INTERVAL '1 day'), create_default_indexes => false);
  PERFORM add_dimension('usage_events', by_hash('organization_id', 4));
  INSERT INTO usage_events SELECT * FROM usage_events_old;
  DROP TABLE usage_events_old;
  ALTER TABLE usage_events SET (timescaledb.compress, timescaledb.compress_segmentby = 'organization_id',
    timescaledb.compress_orderby = 'time, event_id');
  PERFORM add_compression_policy('usage_events', INTERVAL '7 days');
  PERFORM add_retention_policy('usage_events', INTERVAL '90 days');

  PERFORM create_hypertable('usage_hourly', by_range('hour', INTERVAL '30 days'), create_default_indexes => false, migrate_data => true);
  EXECUTE $view$
    CREATE MATERIALIZED VIEW usage_daily WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
      SELECT organization_id, time_bucket(INTERVAL '1 day', hour) AS day, environment,
        sum(requests)::bigint AS requests, sum(billable_requests)::bigint AS billable_requests,
        sum(billable_units)::bigint AS billable_units, sum(request_bytes) AS request_bytes, sum(response_bytes) AS response_bytes,
        sum(sum_response_time_ms) AS sum_response_time_ms, max(max_response_time_ms) AS max_response_time_ms
      FROM usage_hourly GROUP BY 1, 2, 3 WITH NO DATA
  $view$;
  EXECUTE $view$
    CREATE MATERIALIZED VIEW usage_monthly WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
      SELECT organization_id, time_bucket(INTERVAL '1 month', day) AS month, environment,
        sum(requests)::bigint AS requests, sum(billable_requests)::bigint AS billable_requests,
        sum(billable_units)::bigint AS billable_units, sum(request_bytes) AS request_bytes, sum(response_bytes) AS response_bytes,
        sum(sum_response_time_ms) AS sum_response_time_ms, max(max_response_time_ms) AS max_response_time_ms
      FROM usage_daily GROUP BY 1, 2, 3 WITH NO DATA
  $view$;
  -- No beginning: a late event's day is refreshed however long the jobs stood still. What was not touched costs nothing.
  PERFORM add_continuous_aggregate_policy('usage_daily', start_offset => NULL::interval, end_offset => INTERVAL '1 day',
    schedule_interval => INTERVAL '10 minutes');
  PERFORM add_continuous_aggregate_policy('usage_monthly', start_offset => NULL::interval, end_offset => INTERVAL '1 day',
    schedule_interval => INTERVAL '10 minutes');
END
$body$;

-- Moves usage back into tables of plain PostgreSQL, with all of its rows. The extension stays.
CREATE FUNCTION usage_to_plain() RETURNS void LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('tollgate usage partitions', 0));

  DROP MATERIALIZED VIEW usage_monthly;
  DROP MATERIALIZED VIEW usage_daily;
  CREATE TABLE usage_hourly_new (LIKE usage_hourly INCLUDING ALL);
  INSERT INTO usage_hourly_new SELECT * FROM usage_hourly;
  DROP TABLE usage_hourly;
  ALTER TABLE usage_hourly_new RENAME TO usage_hourly;
  ALTER TABLE usage_hourly RENAME CONSTRAINT usage_hourly_new_pkey TO usage_hourly_pkey;
  ALTER INDEX usage_hourly_new_hour_organization_id_idx RENAME TO usage_hourly_hour_idx;

  CREATE TABLE usage_events_new (LIKE usage_events INCLUDING ALL) PARTITION BY RANGE (time);
  ALTER TABLE usage_events RENAME TO usage_events_old;
  ALTER TABLE usage_events_new RENAME TO usage_events;
  PERFORM create_usage_partitions(ARRAY(SELECT DISTINCT (time AT TIME ZONE 'UTC')::date FROM usage_events_old));
  INSERT INTO usage_events SELECT * FROM usage_events_old;
  DROP TABLE usage_events_old;
  ALTER TABLE usage_events RENAME CONSTRAINT usage_events_new_pkey TO usage_events_pkey;
  ALTER INDEX usage_events_new_organization_id_time_idx RENAME TO usage_events_organization_id_idx;

  CREATE VIEW usage_daily AS
    SELECT organization_id, date_trunc('day', hour, 'UTC') AS day, environment,
      sum(requests)::bigint AS requests, sum(billable_requests)::bigint AS billable_requests,
      sum(billable_units)::bigint AS billable_units, sum(request_bytes) AS request_bytes, sum(response_bytes) AS response_bytes,
      sum(sum_response_time_ms) AS sum_response_time_ms, max(max_response_time_ms) AS max_response_time_ms
    FROM usage_hourly GROUP BY 1, 2, 3;
  CREATE VIEW usage_monthly AS
    SELECT organization_id, date_trunc('month', hour, 'UTC') AS month, environment,
      sum(requests)::bigint AS requests, sum(billable_requests)::bigint AS billable_requests,
      sum(billable_units)::bigint AS billable_units, sum(request_bytes) AS request_bytes, sum(response_bytes) AS response_bytes,
      sum(sum_response_time_ms) AS sum_response_time_ms, max(max_response_time_ms) AS max_response_time_ms
    FROM usage_hourly GROUP BY 1, 2, 3;
END
$body$;

DO $$
BEGIN
  IF is_timescaledb_wanted() THEN
    PERFORM usage_to_timescaledb();
  END IF;
END
$$;

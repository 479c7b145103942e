-- One row for each request that counts. Nothing here refers to the tables of keys and organizations: usage may live in a
-- database of its own, and outlives what it names. The time is the event's own, so that a replay meets the same key.
CREATE TABLE usage_events (
  time timestamptz NOT NULL,
  organization_id uuid NOT NULL,
  event_id uuid NOT NULL,
  api_key_id uuid NOT NULL,
  request_bytes bigint NOT NULL CHECK (request_bytes >= 0),
  response_bytes bigint NOT NULL CHECK (response_bytes >= 0),
  response_time_ms double precision NOT NULL CHECK (response_time_ms >= 0 AND response_time_ms < 'Infinity'),
  units integer NOT NULL CHECK (units BETWEEN 0 AND 1000000),
  status_code smallint NOT NULL CHECK (status_code BETWEEN 0 AND 999),
  billable boolean NOT NULL,
  environment text NOT NULL CHECK (environment IN ('live', 'test')),
  origin text NOT NULL CHECK (origin IN ('upstream', 'gateway')),
  method text NOT NULL,
  path text NOT NULL,
  route text NOT NULL,
  request_id text NOT NULL,
  PRIMARY KEY (time, organization_id, event_id)
) PARTITION BY RANGE (time);

CREATE INDEX usage_events_organization_id_idx ON usage_events (organization_id, time);

-- There is no default partition: rows in it would forbid the proper one. The writer asks for the days that it needs, in a
-- transaction of their own. A table is made aside and attached, since CREATE … PARTITION OF would wait for every reader.
CREATE FUNCTION create_usage_partitions(days date[]) RETURNS int LANGUAGE plpgsql AS $$
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

-- Drops the partitions of all days before this one, and says how many.
CREATE FUNCTION drop_usage_partitions(before date) RETURNS int LANGUAGE plpgsql AS $$
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

-- Written by the writer in the transaction of the events, from the rows that were really inserted. Stays for ever.
CREATE TABLE usage_hourly (
  organization_id uuid NOT NULL,
  hour timestamptz NOT NULL CHECK (date_trunc('hour', hour, 'UTC') = hour),
  environment text NOT NULL CHECK (environment IN ('live', 'test')),
  requests bigint NOT NULL CHECK (requests > 0),
  billable_requests bigint NOT NULL CHECK (billable_requests BETWEEN 0 AND requests),
  billable_units bigint NOT NULL CHECK (billable_units >= 0),
  request_bytes numeric NOT NULL CHECK (request_bytes >= 0),
  response_bytes numeric NOT NULL CHECK (response_bytes >= 0),
  sum_response_time_ms double precision NOT NULL CHECK (sum_response_time_ms >= 0),
  max_response_time_ms double precision NOT NULL CHECK (max_response_time_ms >= 0),
  PRIMARY KEY (organization_id, hour, environment)
);

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

-- How far the writer has come. The log id tells a log that was made anew from the old one.
CREATE TABLE consumer_offsets (
  group_id text NOT NULL,
  log_id text NOT NULL,
  topic text NOT NULL,
  partition int NOT NULL CHECK (partition >= 0),
  next_offset bigint NOT NULL CHECK (next_offset >= 0),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (group_id, log_id, topic, partition)
);

-- What could not be an event: its first 64 KiB, and the SHA-256 (hex) and size of the whole.
CREATE TABLE usage_dead_letters (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  log_id text NOT NULL,
  topic text NOT NULL,
  partition int NOT NULL,
  "offset" bigint NOT NULL,
  reason text NOT NULL,
  value bytea NOT NULL CHECK (octet_length(value) <= 65536),
  value_hash text NOT NULL CHECK (value_hash ~ '^[0-9a-f]{64}$'),
  value_bytes bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT usage_dead_letters_place_key UNIQUE (log_id, topic, partition, "offset")
);

CREATE INDEX usage_dead_letters_at_idx ON usage_dead_letters (at);

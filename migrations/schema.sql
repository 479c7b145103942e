-- tables
table api_key_activity
table api_keys
table audit_log
table changes
table consumer_offsets
table organizations
table plans
table rate_limit_configs
table schema_migrations
table usage_dead_letters
table usage_events RANGE ("time")
table usage_hourly
table usage_raw_horizon
table usage_witness
table usage_witness_files
table usage_witness_nodes

-- columns
api_key_activity.key_id uuid NOT NULL
api_key_activity.last_used_at timestamp with time zone NOT NULL
api_keys.created_at timestamp with time zone NOT NULL DEFAULT now()
api_keys.created_by text NOT NULL
api_keys.environment text NOT NULL
api_keys.expires_at timestamp with time zone
api_keys.hash_version smallint NOT NULL
api_keys.id uuid NOT NULL DEFAULT gen_random_uuid()
api_keys.key_hash text COLLATE C NOT NULL
api_keys.name text NOT NULL
api_keys.organization_id uuid NOT NULL
api_keys.prefix text COLLATE C NOT NULL
api_keys.revoked_at timestamp with time zone
api_keys.revoked_reason text
api_keys.rotated_from uuid
api_keys.scopes text[] NOT NULL DEFAULT '{}'::text[]
audit_log.action text NOT NULL
audit_log.actor text NOT NULL
audit_log.at timestamp with time zone NOT NULL DEFAULT now()
audit_log.details jsonb NOT NULL DEFAULT '{}'::jsonb
audit_log.id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
audit_log.organization_id uuid
audit_log.subject_id text NOT NULL
audit_log.subject_kind text NOT NULL
changes.at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
changes.id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
changes.kind text NOT NULL
changes.subject text NOT NULL
changes.xid xid8 NOT NULL DEFAULT pg_current_xact_id()
consumer_offsets.group_id text NOT NULL
consumer_offsets.log_id text NOT NULL
consumer_offsets.next_offset bigint NOT NULL
consumer_offsets.partition integer NOT NULL
consumer_offsets.topic text NOT NULL
consumer_offsets.updated_at timestamp with time zone NOT NULL DEFAULT now()
organizations.billing_anchor_day smallint NOT NULL DEFAULT 1
organizations.created_at timestamp with time zone NOT NULL DEFAULT now()
organizations.id uuid NOT NULL DEFAULT gen_random_uuid()
organizations.is_active boolean NOT NULL DEFAULT true
organizations.name text NOT NULL
organizations.plan text COLLATE C NOT NULL
plans.burst bigint NOT NULL
plans.created_at timestamp with time zone NOT NULL DEFAULT now()
plans.is_shadow boolean NOT NULL DEFAULT false
plans.name text COLLATE C NOT NULL
plans.per_day bigint NOT NULL
plans.per_minute bigint NOT NULL
plans.per_month bigint
rate_limit_configs.burst bigint
rate_limit_configs.id uuid NOT NULL DEFAULT gen_random_uuid()
rate_limit_configs.is_shadow boolean
rate_limit_configs.key_id uuid
rate_limit_configs.organization_id uuid NOT NULL
rate_limit_configs.per_day bigint
rate_limit_configs.per_minute bigint
rate_limit_configs.per_month bigint
rate_limit_configs.updated_at timestamp with time zone NOT NULL DEFAULT now()
schema_migrations.applied_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
schema_migrations.checksum text NOT NULL
schema_migrations.name text NOT NULL
usage_daily.billable_requests bigint
usage_daily.billable_units bigint
usage_daily.day timestamp with time zone
usage_daily.environment text
usage_daily.max_response_time_ms double precision
usage_daily.organization_id uuid
usage_daily.request_bytes numeric
usage_daily.requests bigint
usage_daily.response_bytes numeric
usage_daily.sum_response_time_ms double precision
usage_dead_letters.at timestamp with time zone NOT NULL DEFAULT now()
usage_dead_letters.id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
usage_dead_letters.log_id text NOT NULL
usage_dead_letters.offset bigint NOT NULL
usage_dead_letters.partition integer NOT NULL
usage_dead_letters.reason text NOT NULL
usage_dead_letters.replayed_at timestamp with time zone
usage_dead_letters.topic text NOT NULL
usage_dead_letters.value bytea NOT NULL
usage_dead_letters.value_bytes bigint NOT NULL
usage_dead_letters.value_hash text NOT NULL
usage_events.api_key_id uuid NOT NULL
usage_events.billable boolean NOT NULL
usage_events.environment text NOT NULL
usage_events.event_id uuid NOT NULL
usage_events.method text NOT NULL
usage_events.node_id text NOT NULL DEFAULT ''::text
usage_events.organization_id uuid NOT NULL
usage_events.origin text NOT NULL
usage_events.path text NOT NULL
usage_events.request_bytes bigint NOT NULL
usage_events.request_id text NOT NULL
usage_events.response_bytes bigint NOT NULL
usage_events.response_time_ms double precision NOT NULL
usage_events.route text NOT NULL
usage_events.shadow_limited text
usage_events.status_code smallint NOT NULL
usage_events.time timestamp with time zone NOT NULL
usage_events.units integer NOT NULL
usage_hourly.billable_requests bigint NOT NULL
usage_hourly.billable_units bigint NOT NULL
usage_hourly.environment text NOT NULL
usage_hourly.hour timestamp with time zone NOT NULL
usage_hourly.max_response_time_ms double precision NOT NULL
usage_hourly.organization_id uuid NOT NULL
usage_hourly.request_bytes numeric NOT NULL
usage_hourly.requests bigint NOT NULL
usage_hourly.response_bytes numeric NOT NULL
usage_hourly.sum_response_time_ms double precision NOT NULL
usage_monthly.billable_requests bigint
usage_monthly.billable_units bigint
usage_monthly.environment text
usage_monthly.max_response_time_ms double precision
usage_monthly.month timestamp with time zone
usage_monthly.organization_id uuid
usage_monthly.request_bytes numeric
usage_monthly.requests bigint
usage_monthly.response_bytes numeric
usage_monthly.sum_response_time_ms double precision
usage_raw_horizon.dropped_before timestamp with time zone NOT NULL
usage_raw_horizon.is_only boolean NOT NULL DEFAULT true
usage_witness.billable_units bigint NOT NULL
usage_witness.checked_at timestamp with time zone NOT NULL DEFAULT now()
usage_witness.dead_lettered bigint NOT NULL
usage_witness.ids_xor bit(128) NOT NULL
usage_witness.minute timestamp with time zone NOT NULL
usage_witness.node_id text NOT NULL
usage_witness.organization_id uuid NOT NULL
usage_witness.recorded bigint NOT NULL
usage_witness.replayed bigint NOT NULL
usage_witness.requests bigint NOT NULL
usage_witness_files.file_id text NOT NULL
usage_witness_files.next_offset bigint NOT NULL
usage_witness_files.node_id text NOT NULL
usage_witness_files.updated_at timestamp with time zone NOT NULL DEFAULT now()
usage_witness_nodes.checked_until timestamp with time zone NOT NULL
usage_witness_nodes.node_id text NOT NULL
usage_witness_nodes.since timestamp with time zone NOT NULL

-- constraints
api_key_activity api_key_activity_key_id_fkey FOREIGN KEY (key_id) REFERENCES api_keys(id) ON DELETE CASCADE
api_key_activity api_key_activity_pkey PRIMARY KEY (key_id)
api_keys api_keys_created_by_check CHECK (((char_length(created_by) >= 1) AND (char_length(created_by) <= 200)))
api_keys api_keys_environment_check CHECK ((environment = ANY (ARRAY['live'::text, 'test'::text])))
api_keys api_keys_expire_after_creation CHECK ((expires_at > created_at))
api_keys api_keys_hash_version_check CHECK ((hash_version >= 1))
api_keys api_keys_id_organization_key UNIQUE (id, organization_id)
api_keys api_keys_key_hash_check CHECK ((key_hash ~ '^[0-9a-f]{64}$'::text))
api_keys api_keys_key_hash_key UNIQUE (key_hash)
api_keys api_keys_name_length CHECK ((((char_length(name) >= 1) AND (char_length(name) <= 200)) AND (name = btrim(name))))
api_keys api_keys_name_printable CHECK ((name !~ '[\u0001-\u001f\u007f-\u009f]'::text))
api_keys api_keys_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE RESTRICT
api_keys api_keys_pkey PRIMARY KEY (id)
api_keys api_keys_prefix_of_environment CHECK (((prefix ~ '^[!-~]{1,12}$'::text) AND ((prefix !~ '^sk_(live|test)_'::text) OR (split_part(prefix, '_'::text, 2) = environment))))
api_keys api_keys_reason_only_when_revoked CHECK (((revoked_reason IS NULL) OR (revoked_at IS NOT NULL)))
api_keys api_keys_revoked_reason_check CHECK (((char_length(revoked_reason) >= 1) AND (char_length(revoked_reason) <= 500)))
api_keys api_keys_rotated_from_another CHECK ((rotated_from <> id))
api_keys api_keys_rotated_from_key UNIQUE (rotated_from)
api_keys api_keys_rotated_within_organization FOREIGN KEY (rotated_from, organization_id) REFERENCES api_keys(id, organization_id) ON DELETE SET NULL (rotated_from)
api_keys api_keys_scopes_bounded CHECK (((cardinality(scopes) <= 64) AND (array_position(scopes, NULL::text) IS NULL)))
audit_log audit_log_actor_check CHECK (((char_length(actor) >= 1) AND (char_length(actor) <= 200)))
audit_log audit_log_pkey PRIMARY KEY (id)
changes changes_kind_check CHECK ((kind = ANY (ARRAY['organization'::text, 'plan'::text, 'api_key'::text, 'limits'::text, 'reload'::text])))
changes changes_pkey PRIMARY KEY (id)
consumer_offsets consumer_offsets_next_offset_check CHECK ((next_offset >= 0))
consumer_offsets consumer_offsets_partition_check CHECK ((partition >= 0))
consumer_offsets consumer_offsets_pkey PRIMARY KEY (group_id, log_id, topic, partition)
organizations organizations_billing_anchor_day_check CHECK (((billing_anchor_day >= 1) AND (billing_anchor_day <= 31)))
organizations organizations_name_is_no_id CHECK ((name !~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'::text))
organizations organizations_name_length CHECK ((((char_length(name) >= 1) AND (char_length(name) <= 200)) AND (name = btrim(name))))
organizations organizations_name_printable CHECK ((name !~ '[\u0001-\u001f\u007f-\u009f]'::text))
organizations organizations_pkey PRIMARY KEY (id)
organizations organizations_plan_fkey FOREIGN KEY (plan) REFERENCES plans(name) ON UPDATE CASCADE ON DELETE RESTRICT
plans plans_burst_check CHECK (((burst >= 1) AND (burst <= '1000000000000'::bigint)))
plans plans_burst_within_ten_minutes CHECK ((burst <= (10 * per_minute)))
plans plans_day_not_below_minute CHECK ((per_day >= per_minute))
plans plans_month_not_below_day CHECK ((per_month >= per_day))
plans plans_name_check CHECK ((name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'::text))
plans plans_per_day_check CHECK (((per_day >= 1) AND (per_day <= '1000000000000'::bigint)))
plans plans_per_minute_check CHECK (((per_minute >= 1) AND (per_minute <= '1000000000000'::bigint)))
plans plans_per_month_check CHECK (((per_month >= 1) AND (per_month <= '1000000000000'::bigint)))
plans plans_pkey PRIMARY KEY (name)
rate_limit_configs rate_limit_configs_burst_check CHECK (((burst >= 1) AND (burst <= '1000000000000'::bigint)))
rate_limit_configs rate_limit_configs_key_of_organization FOREIGN KEY (key_id, organization_id) REFERENCES api_keys(id, organization_id) ON DELETE CASCADE
rate_limit_configs rate_limit_configs_not_empty CHECK (((num_nonnulls(per_minute, burst, per_day, per_month) > 0) OR ((key_id IS NULL) AND (is_shadow IS NOT NULL))))
rate_limit_configs rate_limit_configs_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE
rate_limit_configs rate_limit_configs_per_day_check CHECK (((per_day >= 1) AND (per_day <= '1000000000000'::bigint)))
rate_limit_configs rate_limit_configs_per_minute_check CHECK (((per_minute >= 1) AND (per_minute <= '1000000000000'::bigint)))
rate_limit_configs rate_limit_configs_per_month_check CHECK (((per_month >= 1) AND (per_month <= '1000000000000'::bigint)))
rate_limit_configs rate_limit_configs_pkey PRIMARY KEY (id)
rate_limit_configs rate_limit_configs_subject_key UNIQUE NULLS NOT DISTINCT (organization_id, key_id)
schema_migrations schema_migrations_pkey PRIMARY KEY (name)
usage_dead_letters usage_dead_letters_pkey PRIMARY KEY (id)
usage_dead_letters usage_dead_letters_place_key UNIQUE (log_id, topic, partition, "offset")
usage_dead_letters usage_dead_letters_value_check CHECK ((octet_length(value) <= 65536))
usage_dead_letters usage_dead_letters_value_hash_check CHECK ((value_hash ~ '^[0-9a-f]{64}$'::text))
usage_events usage_events_environment_check CHECK ((environment = ANY (ARRAY['live'::text, 'test'::text])))
usage_events usage_events_origin_check CHECK ((origin = ANY (ARRAY['upstream'::text, 'gateway'::text])))
usage_events usage_events_pkey PRIMARY KEY ("time", organization_id, event_id)
usage_events usage_events_request_bytes_check CHECK ((request_bytes >= 0))
usage_events usage_events_response_bytes_check CHECK ((response_bytes >= 0))
usage_events usage_events_response_time_ms_check CHECK (((response_time_ms >= (0)::double precision) AND (response_time_ms < 'Infinity'::double precision)))
usage_events usage_events_shadow_limited_check CHECK ((shadow_limited = ANY (ARRAY['minute'::text, 'day'::text, 'month'::text])))
usage_events usage_events_status_code_check CHECK (((status_code >= 0) AND (status_code <= 999)))
usage_events usage_events_units_check CHECK (((units >= 0) AND (units <= 1000000)))
usage_hourly usage_hourly_billable_units_check CHECK ((billable_units >= 0))
usage_hourly usage_hourly_check CHECK (((billable_requests >= 0) AND (billable_requests <= requests)))
usage_hourly usage_hourly_environment_check CHECK ((environment = ANY (ARRAY['live'::text, 'test'::text])))
usage_hourly usage_hourly_hour_check CHECK ((date_trunc('hour'::text, hour, 'UTC'::text) = hour))
usage_hourly usage_hourly_max_response_time_ms_check CHECK ((max_response_time_ms >= (0)::double precision))
usage_hourly usage_hourly_pkey PRIMARY KEY (organization_id, hour, environment)
usage_hourly usage_hourly_request_bytes_check CHECK ((request_bytes >= (0)::numeric))
usage_hourly usage_hourly_requests_check CHECK ((requests > 0))
usage_hourly usage_hourly_response_bytes_check CHECK ((response_bytes >= (0)::numeric))
usage_hourly usage_hourly_sum_response_time_ms_check CHECK ((sum_response_time_ms >= (0)::double precision))
usage_raw_horizon usage_raw_horizon_is_only_check CHECK (is_only)
usage_raw_horizon usage_raw_horizon_pkey PRIMARY KEY (is_only)
usage_witness usage_witness_billable_units_check CHECK ((billable_units >= 0))
usage_witness usage_witness_check CHECK (((recorded >= 0) AND (recorded <= requests)))
usage_witness usage_witness_check1 CHECK (((replayed >= 0) AND (replayed <= requests)))
usage_witness usage_witness_check2 CHECK (((dead_lettered >= 0) AND (dead_lettered <= (requests - recorded))))
usage_witness usage_witness_minute_check CHECK ((date_trunc('minute'::text, minute, 'UTC'::text) = minute))
usage_witness usage_witness_pkey PRIMARY KEY (organization_id, minute, node_id)
usage_witness usage_witness_requests_check CHECK ((requests > 0))
usage_witness_files usage_witness_files_next_offset_check CHECK ((next_offset >= 0))
usage_witness_files usage_witness_files_pkey PRIMARY KEY (node_id, file_id)
usage_witness_nodes usage_witness_nodes_pkey PRIMARY KEY (node_id)

-- indexes
CREATE INDEX api_keys_organization_id_idx ON public.api_keys USING btree (organization_id, created_at)
CREATE INDEX api_keys_prefix_idx ON public.api_keys USING btree (prefix)
CREATE INDEX audit_log_organization_id_idx ON public.audit_log USING btree (organization_id, id)
CREATE INDEX audit_log_subject_idx ON public.audit_log USING btree (subject_kind, subject_id, id)
CREATE INDEX changes_at_idx ON public.changes USING btree (at)
CREATE INDEX changes_xid_idx ON public.changes USING btree (xid)
CREATE INDEX organizations_plan_idx ON public.organizations USING btree (plan)
CREATE INDEX rate_limit_configs_key_id_idx ON public.rate_limit_configs USING btree (key_id)
CREATE INDEX usage_dead_letters_at_idx ON public.usage_dead_letters USING btree (at)
CREATE INDEX usage_events_organization_id_idx ON ONLY public.usage_events USING btree (organization_id, "time")
CREATE INDEX usage_hourly_hour_idx ON public.usage_hourly USING btree (hour, organization_id)
CREATE INDEX usage_witness_minute_idx ON public.usage_witness USING btree (minute, node_id)
CREATE UNIQUE INDEX api_key_activity_pkey ON public.api_key_activity USING btree (key_id)
CREATE UNIQUE INDEX api_keys_id_organization_key ON public.api_keys USING btree (id, organization_id)
CREATE UNIQUE INDEX api_keys_key_hash_key ON public.api_keys USING btree (key_hash)
CREATE UNIQUE INDEX api_keys_pkey ON public.api_keys USING btree (id)
CREATE UNIQUE INDEX api_keys_rotated_from_key ON public.api_keys USING btree (rotated_from)
CREATE UNIQUE INDEX audit_log_pkey ON public.audit_log USING btree (id)
CREATE UNIQUE INDEX changes_pkey ON public.changes USING btree (id)
CREATE UNIQUE INDEX consumer_offsets_pkey ON public.consumer_offsets USING btree (group_id, log_id, topic, partition)
CREATE UNIQUE INDEX organizations_name_key ON public.organizations USING btree (lower(name))
CREATE UNIQUE INDEX organizations_pkey ON public.organizations USING btree (id)
CREATE UNIQUE INDEX plans_pkey ON public.plans USING btree (name)
CREATE UNIQUE INDEX rate_limit_configs_pkey ON public.rate_limit_configs USING btree (id)
CREATE UNIQUE INDEX rate_limit_configs_subject_key ON public.rate_limit_configs USING btree (organization_id, key_id) NULLS NOT DISTINCT
CREATE UNIQUE INDEX schema_migrations_pkey ON public.schema_migrations USING btree (name)
CREATE UNIQUE INDEX usage_dead_letters_pkey ON public.usage_dead_letters USING btree (id)
CREATE UNIQUE INDEX usage_dead_letters_place_key ON public.usage_dead_letters USING btree (log_id, topic, partition, "offset")
CREATE UNIQUE INDEX usage_events_pkey ON ONLY public.usage_events USING btree ("time", organization_id, event_id)
CREATE UNIQUE INDEX usage_hourly_pkey ON public.usage_hourly USING btree (organization_id, hour, environment)
CREATE UNIQUE INDEX usage_raw_horizon_pkey ON public.usage_raw_horizon USING btree (is_only)
CREATE UNIQUE INDEX usage_witness_files_pkey ON public.usage_witness_files USING btree (node_id, file_id)
CREATE UNIQUE INDEX usage_witness_nodes_pkey ON public.usage_witness_nodes USING btree (node_id)
CREATE UNIQUE INDEX usage_witness_pkey ON public.usage_witness USING btree (organization_id, minute, node_id)

-- triggers
CREATE TRIGGER api_keys_deleted AFTER DELETE ON public.api_keys REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('api_key', 'key_hash')
CREATE TRIGGER api_keys_inserted AFTER INSERT ON public.api_keys REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('api_key', 'key_hash')
CREATE TRIGGER api_keys_truncated AFTER TRUNCATE ON public.api_keys FOR EACH STATEMENT EXECUTE FUNCTION append_changes('api_key', 'key_hash')
CREATE TRIGGER api_keys_updated AFTER UPDATE ON public.api_keys REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('api_key', 'key_hash')
CREATE TRIGGER audit_log_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
CREATE TRIGGER organizations_deleted AFTER DELETE ON public.organizations REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('organization', 'id')
CREATE TRIGGER organizations_inserted AFTER INSERT ON public.organizations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('organization', 'id')
CREATE TRIGGER organizations_truncated AFTER TRUNCATE ON public.organizations FOR EACH STATEMENT EXECUTE FUNCTION append_changes('organization', 'id')
CREATE TRIGGER organizations_updated AFTER UPDATE ON public.organizations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('organization', 'id')
CREATE TRIGGER plans_deleted AFTER DELETE ON public.plans REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('plan', 'name')
CREATE TRIGGER plans_inserted AFTER INSERT ON public.plans REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('plan', 'name')
CREATE TRIGGER plans_truncated AFTER TRUNCATE ON public.plans FOR EACH STATEMENT EXECUTE FUNCTION append_changes('plan', 'name')
CREATE TRIGGER plans_updated AFTER UPDATE ON public.plans REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('plan', 'name')
CREATE TRIGGER rate_limit_configs_deleted AFTER DELETE ON public.rate_limit_configs REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('limits', 'organization_id')
CREATE TRIGGER rate_limit_configs_inserted AFTER INSERT ON public.rate_limit_configs REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('limits', 'organization_id')
CREATE TRIGGER rate_limit_configs_truncated AFTER TRUNCATE ON public.rate_limit_configs FOR EACH STATEMENT EXECUTE FUNCTION append_changes('limits', 'organization_id')
CREATE TRIGGER rate_limit_configs_updated AFTER UPDATE ON public.rate_limit_configs REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('limits', 'organization_id')

-- functions
CREATE OR REPLACE FUNCTION public.append_changes()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
DECLARE
  source text := CASE TG_OP
    WHEN 'INSERT' THEN format('SELECT %1$I AS subject FROM new_rows', TG_ARGV[1])
    WHEN 'DELETE' THEN format('SELECT %1$I AS subject FROM old_rows', TG_ARGV[1])
    WHEN 'UPDATE' THEN format('SELECT %1$I AS subject FROM new_rows UNION ALL SELECT %1$I FROM old_rows', TG_ARGV[1])
  END;
  most int := CASE TG_OP WHEN 'UPDATE' THEN 200 ELSE 100 END;
  touched int := most + 1;
BEGIN
  IF TG_OP <> 'TRUNCATE' THEN
    EXECUTE format('SELECT count(*) FROM (SELECT FROM (%s) AS all_rows LIMIT %s) AS some_rows', source, most + 1) INTO touched;
  END IF;
  IF touched = 0 THEN
    RETURN NULL;
  ELSIF touched > most THEN
    INSERT INTO changes (kind, subject) VALUES ('reload', '');
  ELSE
    EXECUTE format('INSERT INTO changes (kind, subject) SELECT DISTINCT %L, subject::text FROM (%s) AS all_rows', TG_ARGV[0], source);
  END IF;
  NOTIFY tollgate_changes;
  RETURN NULL;
END
$function$

CREATE OR REPLACE FUNCTION public.billing_month(anchor_day integer, at timestamp with time zone, OUT period_start timestamp with time zone, OUT period_end timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.create_usage_partitions(days date[])
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.current_month_usage(organization uuid, anchor_day integer DEFAULT 1, at timestamp with time zone DEFAULT now())
 RETURNS TABLE(period_start timestamp with time zone, period_end timestamp with time zone, requests bigint, billable_requests bigint, billable_units bigint, request_bytes numeric, response_bytes numeric, sum_response_time_ms double precision, max_response_time_ms double precision)
 LANGUAGE sql
 STABLE
AS $function$
  SELECT m.period_start, m.period_end, u.* FROM billing_month(anchor_day, at) AS m,
    LATERAL usage_in_period(organization, m.period_start, m.period_end) AS u
$function$

CREATE OR REPLACE FUNCTION public.drop_usage_partitions(before date)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.is_timescaledb_wanted()
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.is_usage_in_hypertable()
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  SELECT relkind = 'r' FROM pg_class WHERE oid = 'usage_events'::regclass
$function$

CREATE OR REPLACE FUNCTION public.refuse_audit_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'restrict_violation';
END
$function$

CREATE OR REPLACE FUNCTION public.try_usage(events text[])
 RETURNS TABLE(place integer, code text, rule text)
 LANGUAGE plpgsql
AS $function$
DECLARE
  began timestamptz := clock_timestamp();
  total int := cardinality(events);
  size int;
  alone_to int := 0;
BEGIN
  place := 0;
  WHILE place < total AND (place = 0 OR clock_timestamp() - began < interval '1 second') LOOP
    size := CASE WHEN place < alone_to THEN 1 ELSE least(20, total - place) END;
    code := NULL;
    rule := NULL;
    BEGIN
      INSERT INTO usage_events (time, organization_id, event_id, api_key_id, request_bytes, response_bytes, response_time_ms, units,
          status_code, billable, environment, origin, method, path, route, request_id, node_id, shadow_limited)
        SELECT e.time, e.organization_id, e.event_id, e.api_key_id, e.request_bytes, e.response_bytes, e.response_time_ms, e.units,
          e.status_code, e.billable, e.environment, e.origin, e.method, e.path, e.route, e.request_id, e.node_id, e.shadow_limited
        FROM unnest(events[place + 1 : place + size]) AS event, jsonb_populate_record(NULL::usage_events, event::jsonb) AS e
        ON CONFLICT DO NOTHING;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded THEN
      IF size > 1 THEN
        alone_to := place + size;
        CONTINUE;
      END IF;
      GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, rule = CONSTRAINT_NAME;
      rule := nullif(rule, '');
    END;
    FOR told IN 1 .. size LOOP
      place := place + 1;
      RETURN NEXT;
    END LOOP;
  END LOOP;
  RAISE EXCEPTION USING ERRCODE = 'TG002';
EXCEPTION WHEN SQLSTATE 'TG002' THEN
  RETURN;
END
$function$

CREATE OR REPLACE FUNCTION public.usage_by_group(organization uuid, from_time timestamp with time zone, to_time timestamp with time zone, part_by text)
 RETURNS TABLE(usage_group text, requests bigint, billable_requests bigint, billable_units bigint, request_bytes numeric, response_bytes numeric, sum_response_time_ms double precision, max_response_time_ms double precision)
 LANGUAGE plpgsql
 STABLE
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.usage_by_route(organization uuid, from_time timestamp with time zone, to_time timestamp with time zone)
 RETURNS TABLE(route text, requests bigint, billable_requests bigint, billable_units bigint, request_bytes numeric, response_bytes numeric, sum_response_time_ms double precision, max_response_time_ms double precision)
 LANGUAGE sql
 STABLE
AS $function$
  SELECT * FROM usage_by_group(organization, from_time, to_time, 'route')
$function$

CREATE OR REPLACE FUNCTION public.usage_in_period(organization uuid, from_time timestamp with time zone, to_time timestamp with time zone)
 RETURNS TABLE(requests bigint, billable_requests bigint, billable_units bigint, request_bytes numeric, response_bytes numeric, sum_response_time_ms double precision, max_response_time_ms double precision)
 LANGUAGE sql
 STABLE
AS $function$
  SELECT coalesce(sum(s.requests), 0)::bigint, coalesce(sum(s.billable_requests), 0)::bigint, coalesce(sum(s.billable_units), 0)::bigint,
    coalesce(sum(s.request_bytes), 0), coalesce(sum(s.response_bytes), 0), coalesce(sum(s.sum_response_time_ms), 0),
    coalesce(max(s.max_response_time_ms), 0)
  FROM usage_slices(organization, from_time, to_time) AS s
$function$

CREATE OR REPLACE FUNCTION public.usage_raw_since()
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $function$
  SELECT greatest(dropped_before, CASE WHEN is_usage_in_hypertable() THEN now() - interval '90 days' END) FROM usage_raw_horizon
$function$

CREATE OR REPLACE FUNCTION public.usage_slices(organization uuid, from_time timestamp with time zone, to_time timestamp with time zone)
 RETURNS TABLE("time" timestamp with time zone, requests bigint, billable_requests bigint, billable_units bigint, request_bytes numeric, response_bytes numeric, sum_response_time_ms double precision, max_response_time_ms double precision)
 LANGUAGE plpgsql
 STABLE
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.usage_to_plain()
 RETURNS void
 LANGUAGE plpgsql
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.usage_to_timescaledb()
 RETURNS void
 LANGUAGE plpgsql
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.usage_top_organizations(from_time timestamp with time zone, to_time timestamp with time zone, most integer DEFAULT 10)
 RETURNS TABLE(organization_id uuid, requests bigint, billable_requests bigint, billable_units bigint)
 LANGUAGE plpgsql
 STABLE
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.usage_whole_hours(from_time timestamp with time zone, to_time timestamp with time zone, OUT first_hour timestamp with time zone, OUT last_hour timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
AS $function$
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
$function$


-- views
view usage_daily
 SELECT organization_id,
    date_trunc('day'::text, hour, 'UTC'::text) AS day,
    environment,
    (sum(requests))::bigint AS requests,
    (sum(billable_requests))::bigint AS billable_requests,
    (sum(billable_units))::bigint AS billable_units,
    sum(request_bytes) AS request_bytes,
    sum(response_bytes) AS response_bytes,
    sum(sum_response_time_ms) AS sum_response_time_ms,
    max(max_response_time_ms) AS max_response_time_ms
   FROM usage_hourly
  GROUP BY organization_id, (date_trunc('day'::text, hour, 'UTC'::text)), environment;
view usage_monthly
 SELECT organization_id,
    date_trunc('month'::text, hour, 'UTC'::text) AS month,
    environment,
    (sum(requests))::bigint AS requests,
    (sum(billable_requests))::bigint AS billable_requests,
    (sum(billable_units))::bigint AS billable_units,
    sum(request_bytes) AS request_bytes,
    sum(response_bytes) AS response_bytes,
    sum(sum_response_time_ms) AS sum_response_time_ms,
    max(max_response_time_ms) AS max_response_time_ms
   FROM usage_hourly
  GROUP BY organization_id, (date_trunc('month'::text, hour, 'UTC'::text)), environment;

DO $$
BEGIN
  IF is_usage_in_hypertable() THEN
    PERFORM usage_to_plain();
  END IF;
END
$$;

DROP FUNCTION usage_to_plain();
DROP FUNCTION usage_to_timescaledb();
DROP FUNCTION is_timescaledb_wanted();

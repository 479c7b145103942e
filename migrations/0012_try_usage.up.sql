-- Tells of each of these events (JSON, fields named like the columns) what usage_events refuses in it for what it holds: the SQLSTATE,
-- and the constraint where there is one; nulls where it takes it. They are inserted twenty at a time within a block, and one by one
-- where twenty are refused; all are taken back in the end, so that nothing is kept. Anything else that fails (a deadlock, a full
-- disk, a timeout) fails the whole, since it says nothing of an event. Tells of one at least, and begins no more after a second, so that
-- whoever asks is not cut off by a deadline, and goes on behind the last one told.
CREATE FUNCTION try_usage(events text[]) RETURNS TABLE (place int, code text, rule text) LANGUAGE plpgsql AS $$
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
$$;

-- What caches must forget, written by triggers in the transaction of the change itself.
-- Ids commit out of order. A reader therefore goes by xid: it takes the rows whose transaction its last snapshot did not see.
CREATE TABLE changes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  kind text NOT NULL CHECK (kind IN ('organization', 'plan', 'api_key', 'limits', 'reload')),
  subject text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX changes_xid_idx ON changes (xid);
CREATE INDEX changes_at_idx ON changes (at);

-- Arguments: the kind, and the column that holds the subject. A statement on more than 100 rows appends one "reload".
-- An update names the subjects from before and after it, since a key (or a plan) may have got another name.
CREATE FUNCTION append_changes() RETURNS trigger LANGUAGE plpgsql AS $$
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
$$;

CREATE TRIGGER organizations_inserted AFTER INSERT ON organizations
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('organization', 'id');
CREATE TRIGGER organizations_updated AFTER UPDATE ON organizations
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('organization', 'id');
CREATE TRIGGER organizations_deleted AFTER DELETE ON organizations
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('organization', 'id');
CREATE TRIGGER organizations_truncated AFTER TRUNCATE ON organizations
  FOR EACH STATEMENT EXECUTE FUNCTION append_changes('organization', 'id');

CREATE TRIGGER plans_inserted AFTER INSERT ON plans
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('plan', 'name');
CREATE TRIGGER plans_updated AFTER UPDATE ON plans
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('plan', 'name');
CREATE TRIGGER plans_deleted AFTER DELETE ON plans
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('plan', 'name');
CREATE TRIGGER plans_truncated AFTER TRUNCATE ON plans
  FOR EACH STATEMENT EXECUTE FUNCTION append_changes('plan', 'name');

CREATE TRIGGER api_keys_inserted AFTER INSERT ON api_keys
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('api_key', 'key_hash');
CREATE TRIGGER api_keys_updated AFTER UPDATE ON api_keys
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('api_key', 'key_hash');
CREATE TRIGGER api_keys_deleted AFTER DELETE ON api_keys
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('api_key', 'key_hash');
CREATE TRIGGER api_keys_truncated AFTER TRUNCATE ON api_keys
  FOR EACH STATEMENT EXECUTE FUNCTION append_changes('api_key', 'key_hash');

CREATE TRIGGER rate_limit_configs_inserted AFTER INSERT ON rate_limit_configs
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('limits', 'organization_id');
CREATE TRIGGER rate_limit_configs_updated AFTER UPDATE ON rate_limit_configs
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('limits', 'organization_id');
CREATE TRIGGER rate_limit_configs_deleted AFTER DELETE ON rate_limit_configs
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION append_changes('limits', 'organization_id');
CREATE TRIGGER rate_limit_configs_truncated AFTER TRUNCATE ON rate_limit_configs
  FOR EACH STATEMENT EXECUTE FUNCTION append_changes('limits', 'organization_id');

-- Limits in shadow are counted and told, and deny nobody: for trying limits on real traffic before they are enforced.
ALTER TABLE plans ADD COLUMN is_shadow boolean NOT NULL DEFAULT false;

-- Of an organization: all its limits, null does as the plan. Of a key: its own limits, null enforces them.
ALTER TABLE rate_limit_configs
  ADD COLUMN is_shadow boolean,
  DROP CONSTRAINT rate_limit_configs_not_empty,
  ADD CONSTRAINT rate_limit_configs_not_empty CHECK (
    num_nonnulls(per_minute, burst, per_day, per_month) > 0 OR (key_id IS NULL AND is_shadow IS NOT NULL)
  );

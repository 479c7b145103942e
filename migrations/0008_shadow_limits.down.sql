-- What was in shadow is enforced again. A row that says nothing else goes.
DELETE FROM rate_limit_configs WHERE num_nonnulls(per_minute, burst, per_day, per_month) = 0;
ALTER TABLE rate_limit_configs
  DROP CONSTRAINT rate_limit_configs_not_empty,
  DROP COLUMN is_shadow,
  ADD CONSTRAINT rate_limit_configs_not_empty CHECK (num_nonnulls(per_minute, burst, per_day, per_month) > 0);
ALTER TABLE plans DROP COLUMN is_shadow;

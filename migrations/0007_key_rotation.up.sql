-- The key in whose place this one was made. A key is replaced at most once, by one of its own organization.
ALTER TABLE api_keys
  ADD COLUMN rotated_from uuid,
  ADD CONSTRAINT api_keys_rotated_from_key UNIQUE (rotated_from),
  ADD CONSTRAINT api_keys_rotated_within_organization FOREIGN KEY (rotated_from, organization_id)
    REFERENCES api_keys (id, organization_id) ON DELETE SET NULL (rotated_from),
  ADD CONSTRAINT api_keys_rotated_from_another CHECK (rotated_from <> id);

-- Keys that other systems made begin as they like; what looks like ours is of the environment that it names.
ALTER TABLE api_keys
  DROP CONSTRAINT api_keys_prefix_of_environment,
  ADD CONSTRAINT api_keys_prefix_of_environment CHECK (
    prefix ~ '^[!-~]{1,12}$' AND (prefix !~ '^sk_(live|test)_' OR split_part(prefix, '_', 2) = environment)
  );

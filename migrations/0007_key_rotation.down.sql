-- The wider rule for prefixes stays, since keys that were imported under it do.
ALTER TABLE api_keys DROP COLUMN rotated_from;

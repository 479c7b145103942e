ALTER TABLE usage_events ADD COLUMN node_id text NOT NULL DEFAULT '';

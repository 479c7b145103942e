ALTER TABLE usage_events DROP COLUMN node_id;

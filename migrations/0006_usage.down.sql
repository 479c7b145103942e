DROP TABLE usage_dead_letters;
DROP TABLE consumer_offsets;
DROP VIEW usage_monthly;
DROP VIEW usage_daily;
DROP TABLE usage_hourly;
DROP FUNCTION drop_usage_partitions(date);
DROP FUNCTION create_usage_partitions(date[]);
DROP TABLE usage_events;

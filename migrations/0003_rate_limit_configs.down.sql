DROP TABLE rate_limit_configs;

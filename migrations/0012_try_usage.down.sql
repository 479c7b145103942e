DROP FUNCTION try_usage(text[]);

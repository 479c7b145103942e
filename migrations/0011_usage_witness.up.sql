-- What each gateway's own file log held of an organization, by the minute in which its requests began. `recorded` is how many
-- of them were in usage_events when they were last looked for, `replayed` how many were given to the event log a second time,
-- `dead_lettered` how many of the rest are dead letters. Written in the transaction that moves the places below.
CREATE TABLE usage_witness (
  organization_id uuid NOT NULL,
  minute timestamptz NOT NULL CHECK (date_trunc('minute', minute, 'UTC') = minute),
  node_id text NOT NULL,
  requests bigint NOT NULL CHECK (requests > 0),
  billable_units bigint NOT NULL CHECK (billable_units >= 0),
  ids_xor bit(128) NOT NULL,
  recorded bigint NOT NULL CHECK (recorded BETWEEN 0 AND requests),
  replayed bigint NOT NULL CHECK (replayed BETWEEN 0 AND requests),
  dead_lettered bigint NOT NULL CHECK (dead_lettered BETWEEN 0 AND requests - recorded),
  checked_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organization_id, minute, node_id)
);

CREATE INDEX usage_witness_minute_idx ON usage_witness (minute, node_id);

-- How far each file was checked. A file is known by its first line, so that renaming and copying do not change it.
CREATE TABLE usage_witness_files (
  node_id text NOT NULL,
  file_id text NOT NULL,
  next_offset bigint NOT NULL CHECK (next_offset >= 0),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (node_id, file_id)
);

-- Since when a gateway has a witness, and up to which minute all is checked: outside of it, no row means nothing.
CREATE TABLE usage_witness_nodes (
  node_id text PRIMARY KEY,
  since timestamptz NOT NULL,
  checked_until timestamptz NOT NULL
);

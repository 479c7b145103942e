-- The secret itself is nowhere: only its SHA-256 in hex, which is also the key's name in the table of changes.
-- Keys are revoked, not deleted. An organization with keys cannot be deleted.
CREATE TABLE api_keys (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
  name text NOT NULL,
  environment text NOT NULL CHECK (environment IN ('live', 'test')),
  key_hash text COLLATE "C" NOT NULL UNIQUE CHECK (key_hash ~ '^[0-9a-f]{64}$'),
  hash_version smallint NOT NULL CHECK (hash_version >= 1),
  prefix text COLLATE "C" NOT NULL,
  scopes text[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL CHECK (char_length(created_by) BETWEEN 1 AND 200),
  expires_at timestamptz,
  revoked_at timestamptz,
  revoked_reason text CHECK (char_length(revoked_reason) BETWEEN 1 AND 500),
  CONSTRAINT api_keys_name_length CHECK (char_length(name) BETWEEN 1 AND 200 AND name = btrim(name)),
  CONSTRAINT api_keys_name_printable CHECK (name !~ '[\u0001-\u001f\u007f-\u009f]'),
  CONSTRAINT api_keys_prefix_of_environment CHECK (prefix ~ '^sk_(live|test)_[a-z0-9]{4}$' AND split_part(prefix, '_', 2) = environment),
  CONSTRAINT api_keys_scopes_bounded CHECK (cardinality(scopes) <= 64 AND array_position(scopes, NULL) IS NULL),
  CONSTRAINT api_keys_expire_after_creation CHECK (expires_at > created_at),
  CONSTRAINT api_keys_reason_only_when_revoked CHECK (revoked_reason IS NULL OR revoked_at IS NOT NULL),
  CONSTRAINT api_keys_id_organization_key UNIQUE (id, organization_id)
);

CREATE INDEX api_keys_organization_id_idx ON api_keys (organization_id, created_at);
CREATE INDEX api_keys_prefix_idx ON api_keys (prefix);

-- Apart from api_keys and without a trigger, so that using a key is not a change of it.
CREATE TABLE api_key_activity (
  key_id uuid PRIMARY KEY REFERENCES api_keys (id) ON DELETE CASCADE,
  last_used_at timestamptz NOT NULL
);

-- Named limits of organizations. The numbers of these three are the product's; others are added with "tollgate plan set".
CREATE TABLE plans (
  name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  per_minute bigint NOT NULL CHECK (per_minute BETWEEN 1 AND 1000000000000),
  burst bigint NOT NULL CHECK (burst BETWEEN 1 AND 1000000000000),
  per_day bigint NOT NULL CHECK (per_day BETWEEN 1 AND 1000000000000),
  per_month bigint CHECK (per_month BETWEEN 1 AND 1000000000000),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT plans_burst_within_ten_minutes CHECK (burst <= 10 * per_minute),
  CONSTRAINT plans_day_not_below_minute CHECK (per_day >= per_minute),
  CONSTRAINT plans_month_not_below_day CHECK (per_month >= per_day)
);

INSERT INTO plans (name, per_minute, burst, per_day) VALUES
  ('basic', 100, 150, 10000),
  ('premium', 1000, 1500, 100000),
  ('enterprise', 10000, 15000, 1000000);

-- A command takes a name wherever it takes an id, so a name is never shaped like an id.
CREATE TABLE organizations (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL,
  plan text COLLATE "C" NOT NULL REFERENCES plans (name) ON UPDATE CASCADE ON DELETE RESTRICT,
  is_active boolean NOT NULL DEFAULT true,
  billing_anchor_day smallint NOT NULL DEFAULT 1 CHECK (billing_anchor_day BETWEEN 1 AND 31),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT organizations_name_length CHECK (char_length(name) BETWEEN 1 AND 200 AND name = btrim(name)),
  CONSTRAINT organizations_name_printable CHECK (name !~ '[\u0001-\u001f\u007f-\u009f]'),
  CONSTRAINT organizations_name_is_no_id CHECK (name !~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')
);

-- Names keep their spelling, but "Acme" and "ACME" are one name.
CREATE UNIQUE INDEX organizations_name_key ON organizations (lower(name));
CREATE INDEX organizations_plan_idx ON organizations (plan);

-- What replaces parts of a plan for an organization (key_id is null), or limits one of its keys besides.
-- A null part is inherited. What the parts make together is judged in code, where the plan is known.
CREATE TABLE rate_limit_configs (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  key_id uuid,
  per_minute bigint CHECK (per_minute BETWEEN 1 AND 1000000000000),
  burst bigint CHECK (burst BETWEEN 1 AND 1000000000000),
  per_day bigint CHECK (per_day BETWEEN 1 AND 1000000000000),
  per_month bigint CHECK (per_month BETWEEN 1 AND 1000000000000),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT rate_limit_configs_subject_key UNIQUE NULLS NOT DISTINCT (organization_id, key_id),
  CONSTRAINT rate_limit_configs_key_of_organization FOREIGN KEY (key_id, organization_id)
    REFERENCES api_keys (id, organization_id) ON DELETE CASCADE,
  CONSTRAINT rate_limit_configs_not_empty CHECK (num_nonnulls(per_minute, burst, per_day, per_month) > 0)
);

CREATE INDEX rate_limit_configs_key_id_idx ON rate_limit_configs (key_id);

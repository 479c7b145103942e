-- Who changed what. Without foreign keys: what happened stays true when its subject is gone.
CREATE TABLE audit_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  actor text NOT NULL CHECK (char_length(actor) BETWEEN 1 AND 200),
  action text NOT NULL,
  subject_kind text NOT NULL,
  subject_id text NOT NULL,
  organization_id uuid,
  details jsonb NOT NULL DEFAULT '{}'
);

CREATE INDEX audit_log_organization_id_idx ON audit_log (organization_id, id);
CREATE INDEX audit_log_subject_idx ON audit_log (subject_kind, subject_id, id);

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

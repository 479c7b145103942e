-- Run once, as the superuser, when the database is made: the services own the database, and are no superuser.
\set password `cat /run/secrets/postgres/tollgate-password`
CREATE ROLE tollgate LOGIN PASSWORD :'password';
ALTER DATABASE tollgate OWNER TO tollgate;

#!/bin/sh
# Runs once, on an empty data folder. Creates a database for each service that owns data, and two
# roles that may use only this database: NAME_owner creates the tables, for migrations, and NAME
# reads and writes their rows, for the service. Each file NAME-owner-password names a service.
set -eu

# psql reads the passwords itself, so that no list of processes shows them.
own() {
  for file in "$2" "$3"; do
    [ -s "$file" ] || { echo "$file: expected a password in this file; add it to the secrets" >&2; exit 1; }
  done
  PASSWORD="$2" OWNER_PASSWORD="$3" \
    psql --set ON_ERROR_STOP=1 --set name="$1" --set owner="$1_owner" \
    --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set password `cat "$PASSWORD"`
\set owner_password `cat "$OWNER_PASSWORD"`
CREATE ROLE :"name" LOGIN PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 100;
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 10;
CREATE DATABASE :"name" OWNER :"owner";
-- Without this every role may connect to every database.
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"name" TO :"name";
\connect :"name"
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"name";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT USAGE ON SEQUENCES TO :"name";
SQL
}

secrets=$(dirname "$POSTGRES_PASSWORD_FILE")
for owner in "$secrets"/*-owner-password; do
  name=$(basename "$owner" -owner-password)
  own "$(echo "$name" | tr - _)" "$secrets/$name-password" "$owner"
done
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --command 'REVOKE ALL ON DATABASE postgres FROM PUBLIC' --command 'REVOKE ALL ON DATABASE template1 FROM PUBLIC'

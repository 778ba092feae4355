#!/bin/sh
# Runs once, on an empty data folder. Creates a database for each service that owns data, and two
# roles that may use only this database: NAME_owner creates the tables, for migrations, and NAME
# reads and writes their rows, for the service.
set -eu

own() {
  psql --set ON_ERROR_STOP=1 --set name="$1" --set owner="$1_owner" --set password="$2" --set owner_password="$3" \
    --username "$POSTGRES_USER" --dbname postgres <<'SQL'
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

# POSTGRES_ORDERS_OWNER_PASSWORD names the service "orders".
env | sed -n 's/^POSTGRES_\([A-Z0-9_]*\)_OWNER_PASSWORD=.*/\1/p' | while read -r upper; do
  own "$(echo "$upper" | tr '[:upper:]' '[:lower:]')" \
    "$(printenv "POSTGRES_${upper}_PASSWORD")" "$(printenv "POSTGRES_${upper}_OWNER_PASSWORD")"
done
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --command 'REVOKE ALL ON DATABASE postgres FROM PUBLIC' --command 'REVOKE ALL ON DATABASE template1 FROM PUBLIC'

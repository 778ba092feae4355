#!/bin/sh
# Runs once, on an empty data folder. Creates a database for each service that owns data, and a role
# that may use only this database.
set -eu

own() {
  psql --set ON_ERROR_STOP=1 --set name="$1" --set password="$2" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 100;
CREATE DATABASE :"name" OWNER :"name";
-- Without this every role may connect to every database.
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}

# POSTGRES_ORDERS_PASSWORD names the service "orders".
env | sed -n 's/^POSTGRES_\([A-Z0-9_]*\)_PASSWORD=.*/\1/p' | tr '[:upper:]' '[:lower:]' | while read -r name; do
  variable=POSTGRES_$(echo "$name" | tr '[:lower:]' '[:upper:]')_PASSWORD
  own "$name" "$(printenv "$variable")"
done
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --command 'REVOKE ALL ON DATABASE postgres FROM PUBLIC' --command 'REVOKE ALL ON DATABASE template1 FROM PUBLIC'

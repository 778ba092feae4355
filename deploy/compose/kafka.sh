#!/bin/sh
# Writes the users of Kafka into a file that only Kafka reads, then becomes Kafka. Each file
# NAME-kafka-password makes the user NAME, who may do what the ACLs of `migrate` say. The user of
# the file kafka-password is the broker itself and those who migrate, and may do everything. A
# changed password takes a restart.
set -eu

# In memory, and in each container from its start.
users=/dev/shm/users.conf

# Prints the password of a file as it stands between quotes.
quoted() {
  [ -s "$1" ] || { echo "$1: expected a password in this file; add it to the secrets" >&2; exit 1; }
  # Java would put a property of its own in the place of ${...}.
  if grep -qF '${' "$1"; then
    echo "$1: expected a password without \${; choose another" >&2
    exit 1
  fi
  head -n 1 "$1" | tr -d '\n' | sed 's/[\\"]/\\&/g'
}

umask 077
{
  echo 'KafkaServer {'
  echo '  org.apache.kafka.common.security.plain.PlainLoginModule required'
  password=$(quoted /run/secrets/kafka-password)
  printf '  username="kafka" password="%s" user_kafka="%s"' "$password" "$password"
  for file in /run/secrets/*-kafka-password; do
    name=$(basename "$file" -kafka-password)
    password=$(quoted "$file")
    printf '\n  user_%s="%s"' "$name" "$password"
  done
  echo ';'
  echo '};'
} >"$users"

export KAFKA_OPTS="-Djava.security.auth.login.config=$users"
exec /etc/kafka/docker/run

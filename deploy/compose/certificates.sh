#!/bin/sh
# Makes what the issuer for development needs to speak https: an authority, and a certificate of it
# for localhost and the name `issuer`. Both stay until a month before their end. The
# authority signs one certificate: its key is deleted.
#
# /authority holds ca.pem, for clients in containers. /export gets a copy, for clients of the host.
# /identity holds certificate.pem and key.pem, for the issuer alone.
set -eu

month=2592000
if ! openssl x509 -checkend $month -noout -in /identity/certificate.pem >/dev/null 2>&1; then
  work=$(mktemp -d)
  cd "$work"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout ca.key -out ca.pem \
    -days 365 -subj "/CN=Plumbline development"
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout key.pem -out request.pem \
    -subj "/CN=issuer" -addext "subjectAltName=DNS:issuer,DNS:localhost,IP:127.0.0.1" \
    -addext "basicConstraints=CA:FALSE" -addext "extendedKeyUsage=serverAuth"
  openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copy \
    -days 365 -out certificate.pem
  # The certificate comes last: without it the next start makes all of them again.
  rm -f /identity/* /authority/*
  cp ca.pem /authority/ca.pem
  (umask 377 && cat key.pem >/identity/key.pem)
  # The user of the images.
  chown 65532 /identity/key.pem
  cp certificate.pem /identity/certificate.pem
  rm -r "$work"
fi

if ! cp -f /authority/ca.pem /export/ca.pem; then
  echo "The folder PLUMBLINE_EXPORTS cannot be written. This copies the authority too:"
  echo "docker compose cp issuer:/authority/ca.pem .plumbline/ca.pem"
fi

#!/bin/sh
# Makes the certificates of this stack, with one authority for the issuer and one for the services.
# /issuer and each folder of /services is the volume of one container, which alone mounts it. They
# stay until a month before their end. An authority's key is deleted once it has signed. `npm start`
# makes its own in Node (tools/engines), which the host of compose need not have.
#
# A folder gets tls.crt, tls.key and ca.crt, the authority. /authority gets that of the issuer as
# ca.pem, for the gateway, and so does /export, for clients of the host.
set -eu

# With neither, services would take the calls of anybody.
if [ "$CALLS" != on ]; then
  echo "PLUMBLINE_MTLS, PLUMBLINE_PLAIN_CALLS: expected one of them to be on, and the other one empty" >&2
  exit 1
fi

# Says whether the certificates in these folders are of one authority, and good for another month.
areGood() {
  later=$(($(date +%s) + 2592000))
  authority=$1/ca.crt
  for folder; do
    openssl verify -attime $later -CAfile "$authority" "$folder/tls.crt" || return 1
  done
}

extensionsOf() {
  echo "basicConstraints=critical,CA:FALSE"
  echo "keyUsage=critical,digitalSignature"
  case $1 in
    # Its port is published.
    issuer)
      echo "extendedKeyUsage=serverAuth"
      echo "subjectAltName=DNS:issuer,DNS:localhost,IP:127.0.0.1"
      ;;
    *)
      echo "extendedKeyUsage=serverAuth,clientAuth"
      echo "subjectAltName=URI:spiffe://plumbline.internal/$1,DNS:$1"
      ;;
  esac
}

# Makes an authority and a certificate of it in each of these folders, unless all are good.
certify() {
  if areGood "$@" >/dev/null 2>&1; then return; fi
  work=$(mktemp -d)
  cd "$work"
  newKey="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc"
  openssl req -x509 $newKey -keyout ca.key -out ca.crt -days 365 -subj "/CN=Plumbline development" \
    -addext "keyUsage=critical,keyCertSign"
  # If this stops in the middle, they are of two authorities, and the next start makes all again.
  for folder; do
    name=${folder##*/}
    extensionsOf "$name" >extensions
    openssl req -new $newKey -keyout tls.key -out request -subj "/CN=$name"
    openssl x509 -req -in request -CA ca.crt -CAkey ca.key -days 365 -extfile extensions -out tls.crt
    rm -f "$folder/tls.key.new"
    (umask 377 && cat tls.key >"$folder/tls.key.new")
    # The user of the images.
    chown 65532 "$folder/tls.key.new"
    # Envoy reads its files again when one is moved into the folder.
    for file in ca.crt tls.crt; do cp "$file" "$folder/$file.new"; done
    for file in ca.crt tls.key tls.crt; do mv -f "$folder/$file.new" "$folder/$file"; done
  done
  cd /
  rm -r "$work"
}

certify /issuer
certify /services/*

cp -f /issuer/ca.crt /authority/ca.pem
if ! cp -f /issuer/ca.crt /export/ca.pem; then
  echo "The folder PLUMBLINE_EXPORTS cannot be written. This copies the authority too:"
  echo "docker compose cp issuer:/run/tls/ca.crt .plumbline/ca.pem"
fi

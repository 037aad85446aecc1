#!/bin/bash
# Makes the key pair of the development token issuer in $KEYS, unless it is there.
set -euo pipefail
cd "${KEYS:-/keys}"
if [ ! -s jwt.pub.pem ]; then
  umask 077
  openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out jwt.pem
  openssl pkey -in jwt.pem -pubout -out jwt.pub.pem.new
  chmod 0644 jwt.pub.pem.new
  mv jwt.pub.pem.new jwt.pub.pem
fi

#!/bin/bash
# Prints a token of the development issuer, good for a day: token.sh [USER_ID] [GROUP]...
set -euo pipefail
user=${1:-00000000-0000-4000-8000-000000000001}
shift || true
now=$(date +%s)

base64url() {
  openssl base64 -A | tr '+/' '-_' | tr -d '='
}

groups=
for group in "$@"; do
  groups+="${groups:+,}\"$group\""
done
head=$(printf '{"alg":"RS256","typ":"JWT"}' | base64url)
body=$(printf '{"iss":"%s","aud":"%s","sub":"%s","groups":[%s],"iat":%d,"exp":%d}' \
  "${JWT_ISSUER:-https://agent-sessions.dev}" "${JWT_AUDIENCE:-agent-sessions}" "$user" "$groups" \
  "$now" "$((now + 86400))" | base64url)
signature=$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -sign "${KEYS:-/keys}/jwt.pem" | base64url)
echo "$head.$body.$signature"

#!/usr/bin/env bash
# Makes the passwords and keys of docker/compose.yaml in docker/secrets, once: what is there already stays. Needs openssl.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
command -v openssl >/dev/null || { echo "docker/secrets.sh: no openssl on the PATH" >&2; exit 2; }
umask 077
mkdir -p secrets data

# Containers see these files with the modes they have here, and run as other users: what keeps others out is the folder.
write() {
  local name=$1
  [ -e "secrets/$name" ] && return
  # What was to make it may have failed without ending the script.
  [ -n "$2" ] || { echo "docker/secrets.sh: $name could not be made" >&2; exit 1; }
  printf '%s\n' "$2" >"secrets/$name.part"
  chmod 0644 "secrets/$name.part"
  mv "secrets/$name.part" "secrets/$name"
}
random() { openssl rand -hex 24; }
password() {
  write "$1" "$(random)"
  cat "secrets/$1"
}

broker=$(password rabbitmq-password)
write rabbitmq.conf "default_user = scissorhands
default_pass = $broker"
write rabbitmq-address "amqp://scissorhands:$broker@rabbitmq:5672"
cache=$(password redis-password)
write redis.conf "requirepass $cache
appendonly yes"
write redis-address "redis:6379,password=$cache"
database=$(password postgres-password)
write store-address "postgres://scissorhands:$database@postgres:5432/scissorhands"
password grafana-password >/dev/null
write signing.pem "$(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null)"

# The service keeps the digest; the key itself is the caller's, in secrets/operator-key.
if [ ! -e secrets/keys ]; then
  key=sh_$(openssl rand -hex 32)
  digest=$(printf '%s' "$key" | openssl dgst -sha256 -r | cut -d' ' -f1)
  printf '%s\n' "$key" >secrets/operator-key
  write keys "{\"name\":\"operator\",\"tenant\":\"default\",\"scopes\":[\"submit\",\"operate\",\"audit\"],\"sha256\":\"$digest\"}"
fi

if [ "$(id -u)" -eq 0 ]; then
  chown 1654:1654 data
else
  chmod 0777 data
fi
echo "docker/secrets.sh: secrets are in docker/secrets; the operator's key is in docker/secrets/operator-key"

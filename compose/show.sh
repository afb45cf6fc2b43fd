#!/usr/bin/env bash
# Starts what compose.yaml describes, and shows one command through both replicas. May be run again.
#
#     bash compose/show.sh
#     docker compose --file compose/compose.yaml --profile broker down --volumes && rm -f compose/.env    puts it away
#
# The secrets and tokens in .env are those of what is in the volumes: neither is of use without the other.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

compose() {
  docker compose --profile broker "$@"
}

# through <replica> <words...>: the command line in that replica's container, which asks that replica.
through() {
  local replica="$1"
  shift
  compose exec -T --env FAIRLEAD_URL=http://127.0.0.1:8080 --env "FAIRLEAD_TOKEN=$FAIRLEAD_TOKEN" "$replica" fairlead "$@"
}

if [ ! -f .env ]; then
  umask 077
  {
    echo "DATABASE_PASSWORD=$(openssl rand -hex 16)"
    echo "FAIRLEAD_SEAL_KEYS=$(openssl rand -hex 32)"
    echo "FAIRLEAD_CLUSTER_SECRET=$(openssl rand -hex 32)"
  } >.env
fi
docker compose build migration
docker compose up --detach --wait database replica-a replica-b balancer

# The first replica on an empty database shows the token once.
if ! grep -q '^FAIRLEAD_TOKEN=' .env; then
  token="$(docker compose logs --no-log-prefix replica-a replica-b | grep -oE '\bflp_[A-Za-z0-9_-]+' | head -n 1)"
  echo "FAIRLEAD_TOKEN=$token" >>.env
fi
FAIRLEAD_TOKEN="$(sed -n 's/^FAIRLEAD_TOKEN=//p' .env)"

if ! grep -q '^FAIRLEAD_JOIN_TOKEN=' .env; then
  joining="$(through replica-a join-tokens create | grep -oE '\bflj_[A-Za-z0-9_-]+' | head -n 1)"
  echo "FAIRLEAD_JOIN_TOKEN=$joining" >>.env
fi
compose up --detach broker
for _ in $(seq 60); do
  through replica-a brokers list | grep -q online && break
  sleep 1
done

if ! through replica-a agents list | grep -q hello; then
  through replica-a agents create hello --broker laptop --start -- sh -c 'while :; do date; sleep 1; done'
fi
for replica in replica-a replica-b; do
  echo "through $replica:"
  through "$replica" agents restart hello
done
through replica-b brokers list
through replica-b verify --since 1h

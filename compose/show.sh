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
  # Set first: within a word to print, an openssl that is missing would end nothing, and leave secrets empty.
  password="$(openssl rand -hex 16)"
  seal_key="$(openssl rand -hex 32)"
  cluster_secret="$(openssl rand -hex 32)"
  {
    echo "DATABASE_PASSWORD=$password"
    echo "FAIRLEAD_SEAL_KEYS=$seal_key"
    echo "FAIRLEAD_CLUSTER_SECRET=$cluster_secret"
  } >.env
fi
docker compose build migration
# One after the other: what is there already is replaced by what was built now, and somebody serves all the while.
for service in database replica-a replica-b balancer; do
  docker compose up --detach --wait "$service"
done

# kept <variable> <start> <text>: writes the first word of the text that begins so to .env, and ends where there is none.
kept() {
  local word
  word="$(grep -oE "\\b$2[A-Za-z0-9_-]+" <<<"$3" | sed -n 1p)" || true
  if [ -z "$word" ]; then
    echo "nothing shows a token that begins with $2; a database that was there before shows none" >&2
    exit 1
  fi
  echo "$1=$word" >>.env
}

# The first replica on an empty database shows the token once.
if ! grep -q '^FAIRLEAD_TOKEN=' .env; then
  kept FAIRLEAD_TOKEN flp_ "$(docker compose logs --no-log-prefix replica-a replica-b)"
fi
FAIRLEAD_TOKEN="$(sed -n 's/^FAIRLEAD_TOKEN=//p' .env)"

if ! grep -q '^FAIRLEAD_JOIN_TOKEN=' .env; then
  kept FAIRLEAD_JOIN_TOKEN flj_ "$(through replica-a join-tokens create)"
fi
compose up --detach broker
# Not in a pipe: whoever has found the word would end it under the hands of what still writes.
for _ in $(seq 60); do
  brokers="$(through replica-a brokers list)"
  grep -q online <<<"$brokers" && break
  sleep 1
done
grep -q online <<<"$brokers" || { echo "the broker does not come: $brokers" >&2; exit 1; }

agents="$(through replica-a agents list)"
if ! grep -q hello <<<"$agents"; then
  through replica-a agents create hello --broker laptop --start -- sh -c 'while :; do date; sleep 1; done'
fi
for replica in replica-a replica-b; do
  echo "through $replica:"
  through "$replica" agents restart hello
done
through replica-b brokers list
through replica-b verify --since 1h

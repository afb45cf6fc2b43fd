#!/usr/bin/env bash
# The chart on a cluster in containers: three replicas, a broker, load, and a roll that is judged by its report.
#
#     bash scripts/kind.sh up      a cluster, a database, and the chart with the image fairlead:kind; helm test
#     bash scripts/kind.sh roll    restarts every replica under load; fails unless nothing was lost, duplicated or reordered
#     bash scripts/kind.sh logs    what the pods say
#     bash scripts/kind.sh down
#
# Needs docker, kind and kubectl.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cluster=fairlead
release=fairlead
helm() { bash scripts/helm.sh "$@"; }

up() {
  kind create cluster --name "$cluster" --wait 120s
  kind load docker-image fairlead:kind --name "$cluster"
  kubectl create deployment database --image=postgres:17-bookworm --port=5432
  kubectl set env deployment/database POSTGRES_USER=fairlead POSTGRES_PASSWORD=fairlead
  kubectl patch deployment database --patch '{"spec":{"template":{"spec":{"containers":[{"name":"postgres","readinessProbe":
    {"exec":{"command":["pg_isready","--host","127.0.0.1","--username","fairlead"]},"periodSeconds":1}}]}}}}'
  kubectl expose deployment database --port=5432
  kubectl rollout status deployment/database --timeout=180s
  helm install "$release" helm/fairlead --wait --timeout 5m \
    --set replicas=3,image.repository=fairlead,image.tag=kind,image.pullPolicy=Never \
    --set publicUrl=http://fairlead.default.svc,firstBoot=token \
    --set database.url=postgres://fairlead:fairlead@database:5432/fairlead \
    --set-string "sealKeys=$(openssl rand -hex 32),clusterSecret=$(openssl rand -hex 32)"
  # Without --logs: not every Helm reads them before it removes a test that has passed.
  helm test "$release"
}

# fairlead <words...>: the command line in a pod of a replica, which asks itself: the network policy leads nowhere else.
fairlead() {
  kubectl exec "deployment/$release" --container hub -- \
    env FAIRLEAD_URL=http://127.0.0.1:8080 "FAIRLEAD_TOKEN=$token" fairlead "$@"
}

# word <start> <text>: the first word of the text that begins so.
word() {
  grep -oE "\\b$1[A-Za-z0-9_-]+" <<<"$2" | sed -n 1p || { echo "nothing shows a token that begins with $1" >&2; return 1; }
}

# The replica that started first on the empty database logs the token, as `firstBoot` asks for.
roll() {
  token="$(word flp_ "$(kubectl logs --selector app.kubernetes.io/name=fairlead --container hub --tail -1)")"
  local joining brokers=""
  joining="$(word flj_ "$(fairlead join-tokens create)")"
  kubectl run broker --image=fairlead:kind --image-pull-policy=Never --env="FAIRLEAD_JOIN_TOKEN=$joining" --command -- \
    sh -ec 'fairlead broker join http://fairlead --name laptop; exec fairlead broker start'
  # Not in a pipe: whoever has found the word would end it under the hands of what still writes.
  for _ in $(seq 60); do
    brokers="$(fairlead brokers list)"
    grep -q online <<<"$brokers" && break
    sleep 1
  done
  grep -q online <<<"$brokers" || { echo "the broker does not come: $brokers" >&2; exit 1; }
  fairlead agents create hello --broker laptop --start -- sh -c 'while :; do date; sleep 1; done'

  # One command after another, by a pod that outlives the replicas; each is asked for until a replica has taken it.
  kubectl run load --image=fairlead:kind --image-pull-policy=Never --restart=Never \
    --env=FAIRLEAD_URL=http://fairlead --env="FAIRLEAD_TOKEN=$token" --command -- \
    sh -c 'n=0; while [ $n -lt 200 ]; do n=$((n + 1)); fairlead dispatches create laptop broker.ping || exit 1; done'
  helm upgrade "$release" helm/fairlead --reuse-values --set-string "podAnnotations.rolled=$(date +%s)" --wait --timeout 10m
  kubectl rollout status "deployment/$release" --timeout=10m
  kubectl wait pod/load --for=jsonpath='{.status.phase}'=Succeeded --timeout=10m
  # Those that leave drain until they are gone; what the last of them left is judged soon after.
  for _ in $(seq 180); do
    [ "$(kubectl get pods --selector app.kubernetes.io/name=fairlead --no-headers | wc -l)" -eq 3 ] && break
    sleep 1
  done
  fairlead rollout report --last
  fairlead verify --since 1h
}

logs() {
  kubectl get pods,jobs,events --all-namespaces
  kubectl describe pods
  # One container that waits for its start ends the command with an error, and not what is told after it.
  kubectl logs --selector app.kubernetes.io/instance="$release" --all-containers --prefix --tail 100 || true
  # What a roll has made; there is none of it where that did not begin.
  kubectl logs --selector 'run in (broker, load)' --prefix --tail 100 || true
}

down() {
  kind delete cluster --name "$cluster"
}

case "${1:-}" in
  up | roll | logs | down) "$1" ;;
  *)
    echo 'usage: bash scripts/kind.sh up|roll|logs|down' >&2
    exit 2
    ;;
esac

#!/usr/bin/env bash
# The chart on a cluster of three machines in containers: three replicas, brokers, load, and what becomes of it when every replica is
# replaced, and when a machine is emptied. Each is judged by the reports of all drains that it began.
#
#     bash scripts/kind.sh up      a cluster, a database, and the chart with the image fairlead:kind; helm test
#     bash scripts/kind.sh roll    restarts every replica under load; fails unless nothing was lost, duplicated or reordered
#     bash scripts/kind.sh empty   the same of a machine of a replica that is emptied under load, by what the disruption budget allows
#     bash scripts/kind.sh logs    what the pods say
#     bash scripts/kind.sh down
#
# Needs docker, kind and kubectl.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cluster=fairlead
release=fairlead
brokers=(laptop build lab)
# Where all runs that is not the hub's, and is not to be driven out beside it.
beside='{"apiVersion":"v1","spec":{"nodeSelector":{"runs":"others"}}}'
helm() { bash scripts/helm.sh "$@"; }

up() {
  kind create cluster --name "$cluster" --wait 120s --config - <<'CLUSTER'
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
  - role: worker
    labels:
      runs: others
  - role: worker
  - role: worker
CLUSTER
  kind load docker-image fairlead:kind --name "$cluster"
  kubectl create deployment database --image=postgres:17-bookworm --port=5432
  kubectl set env deployment/database POSTGRES_USER=fairlead POSTGRES_PASSWORD=fairlead
  kubectl patch deployment database --patch '{"spec":{"template":{"spec":{"nodeSelector":{"runs":"others"},"containers":[{"name":
    "postgres","readinessProbe":{"exec":{"command":["pg_isready","--host","127.0.0.1","--username","fairlead"]},"periodSeconds":1}}]}}}}'
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

# The replica that started first on the empty database logs the token, as `firstBoot` asks for; it is kept, since that replica leaves.
token() {
  kubectl get secret token --output 'jsonpath={.data.token}' 2>/dev/null | base64 --decode | grep . && return
  local shown
  shown="$(word flp_ "$(kubectl logs --selector app.kubernetes.io/name=fairlead --container hub --tail -1)")" || return 1
  kubectl create secret generic token --from-literal=token="$shown" >/dev/null || return 1
  echo "$shown"
}

# join: brokers with an agent each, unless they are there already.
join() {
  local joining online="" name
  kubectl get pod "${brokers[0]}" >/dev/null 2>&1 && return
  joining="$(word flj_ "$(fairlead join-tokens create --seats "${#brokers[@]}")")"
  for name in "${brokers[@]}"; do
    kubectl run "$name" --labels=run=broker --image=fairlead:kind --image-pull-policy=Never --overrides="$beside" \
      --env="FAIRLEAD_JOIN_TOKEN=$joining" --command -- \
      sh -ec "fairlead broker join http://fairlead --name $name; exec fairlead broker start"
  done
  # Not in a pipe: whoever has found the word would end it under the hands of what still writes.
  for _ in $(seq 60); do
    online="$(fairlead brokers list)"
    [ "$(grep -c online <<<"$online")" -eq "${#brokers[@]}" ] && break
    sleep 1
  done
  [ "$(grep -c online <<<"$online")" -eq "${#brokers[@]}" ] || { echo "not every broker comes: $online" >&2; exit 1; }
  for name in "${brokers[@]}"; do
    fairlead agents create "hello-$name" --broker "$name" --start -- sh -c 'while :; do date; sleep 1; done'
  done
}

# load: one command after another for each broker until it is told that it is over, by a pod that outlives the replicas; each is asked
# for until a replica has taken it.
load() {
  kubectl delete pod load --ignore-not-found
  kubectl run load --image=fairlead:kind --image-pull-policy=Never --restart=Never --overrides="$beside" \
    --env=FAIRLEAD_URL=http://fairlead --env="FAIRLEAD_TOKEN=$token" --command -- \
    sh -c "while [ ! -e /tmp/over ]; do for broker in ${brokers[*]}; do
      fairlead dispatches create \$broker broker.ping || exit 1; done; done"
  kubectl wait pod/load --for=condition=Ready --timeout=2m
}

# settled: as many replicas are there as there should be, and none that still leaves, and until then every command of the load was taken.
settled() {
  local count=0
  kubectl rollout status "deployment/$release" --timeout=10m
  for _ in $(seq 180); do
    count="$(kubectl get pods --selector app.kubernetes.io/name=fairlead --no-headers | wc -l)"
    [ "$count" -eq 3 ] && break
    sleep 1
  done
  [ "$count" -eq 3 ] || { echo "there are not three replicas, but $count" >&2; return 1; }
  kubectl exec load -- touch /tmp/over
  kubectl wait pod/load --for=jsonpath='{.status.phase}'=Succeeded --timeout=2m
}

roll() {
  token="$(token)"
  join
  load
  begun="$(date -u +%FT%TZ)"
  helm upgrade "$release" helm/fairlead --reset-then-reuse-values --set-string "podAnnotations.rolled=$(date +%s)" --wait --timeout 10m
  settled
  fairlead rollout report --since "$begun" --expect 3
  fairlead verify --since 1h
}

empty() {
  local node leaving
  token="$(token)"
  join
  node="$(kubectl get pods --selector app.kubernetes.io/name=fairlead --output 'jsonpath={range .items[*]}{.spec.nodeName}{"\n"}{end}' |
    grep --invert-match --line-regexp "$(kubectl get nodes --selector runs=others --output 'jsonpath={.items[0].metadata.name}')" |
    sed -n 1p || true)"
  [ -n "$node" ] || { echo 'no replica is on a machine of its own' >&2; exit 1; }
  leaving="$(kubectl get pods --selector app.kubernetes.io/name=fairlead --field-selector "spec.nodeName=$node" --no-headers | wc -l)"
  load
  begun="$(date -u +%FT%TZ)"
  kubectl drain "$node" --ignore-daemonsets --delete-emptydir-data --timeout=10m
  settled
  kubectl uncordon "$node"
  fairlead rollout report --since "$begun" --expect "$leaving"
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
  up | roll | empty | logs | down) "$1" ;;
  *)
    echo 'usage: bash scripts/kind.sh up|roll|empty|logs|down' >&2
    exit 2
    ;;
esac

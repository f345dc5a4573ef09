#!/bin/bash
# A leaderboard on TPUs of Google Cloud, through queued resources: a request for
# one machine for each run, four at a time:
#   docs/pods/queued_leaderboard.sh configs/leaderboard.py:folder \
#     /mnt/data/packed/mine /mnt/data/runs/leaderboard
# Needs what queued_resources.sh does. The runs share the workdir, and each
# writes the table of all finished ones. A request is deleted after its run.
# Interrupted, the same command goes on: with the same requests, and not with
# runs that are finished. Each run has its log, owdfa-leaderboard-N.log, here.

set -u
: "${3:?give the config, the packed data and the workdir}"
config=$1 data=$2 workdir=$3
shift 3
# One machine of eight chips.
: "${TPU_NAME:=owdfa-leaderboard}" "${TPU_ZONE:=us-central1-a}"
: "${TPU_TYPE:=v5litepod-8}" "${TPU_VERSION:=v2-alpha-tpuv5-lite}"
: "${CHECKOUT:=/mnt/data/owdfa-jax}" "${PARALLEL:=4}"
tpu=(gcloud compute tpus)

# The rows of configs/leaderboard.py, with three seeds each.
rows=(
  'spectrum'
  'lower bound'
  'ORCA'
  'SimGCD'
  'CPL'
  'MPSL'
  'CAL'
  'CAL (classes unknown)'
  'CPL in stages'
  'Trace'
  'Trace in rounds'
  'upper bound'
  'upper bound (network of Trace)'
  'spectrum (all labels)'
)
seeds=3

state() {
  "${tpu[@]}" queued-resources describe "$1" --zone="$TPU_ZONE" \
    --format='value(state.state)'
}

# Takes the number of a run, from 0 on.
run() {
  local name="$TPU_NAME-$1" row=${rows[$1 / seeds]} seed=$(($1 % seeds))
  if ! state "$name" >/dev/null 2>&1; then
    "${tpu[@]}" queued-resources create "$name" --node-id="$name" \
      --zone="$TPU_ZONE" --accelerator-type="$TPU_TYPE" \
      --runtime-version="$TPU_VERSION" || return 1
  fi
  while true; do
    case $(state "$name") in
      ACTIVE) break ;;
      FAILED | SUSPENDING | SUSPENDED | DELETING)
        echo "no TPU: delete the request $name, and start again"
        return 1
        ;;
    esac
    sleep 30
  done

  local command status=143
  printf -v command '%q ' .venv/bin/python -m owdfa_jax.leaderboard \
    --config="$config" --config.shared="data.path=$data" \
    --config.only_rows="$row" --config.only_seeds="$seed," \
    --workdir="$workdir" "${@:2}"
  # Killed, or SIGTERM: the same command goes on.
  for _ in {1..20}; do
    status=0
    "${tpu[@]}" tpu-vm ssh "$name" --zone="$TPU_ZONE" \
      --command="cd ${CHECKOUT@Q} && $command" || status=$?
    case $status in
      137 | 143) ;;
      *) break ;;
    esac
  done
  # After 255, a lost connection, the run may still be there.
  if ((status != 255)); then
    "${tpu[@]}" queued-resources delete "$name" --zone="$TPU_ZONE" --force \
      --quiet
  fi
  return "$status"
}

failed=0 started=0
for index in $(seq 0 $((${#rows[@]} * seeds - 1))); do
  if ((started >= PARALLEL)); then
    wait -n || failed=$((failed + 1))
  else
    started=$((started + 1))
  fi
  run "$index" "$@" >>"owdfa-leaderboard-$index.log" 2>&1 &
done
while ((started > 0)); do
  wait -n || failed=$((failed + 1))
  started=$((started - 1))
done
if ((failed)); then
  echo "$failed runs failed; their logs say why. The same command tries again"
  exit 1
fi

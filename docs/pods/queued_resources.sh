#!/bin/bash
# One run on a TPU pod of Google Cloud, through queued resources:
#   docs/pods/queued_resources.sh configs/trace.py:folder \
#     /mnt/data/packed/mine /mnt/data/runs/mine --config.batch_size=8192 \
#     --config.method.params.pair_within=2048
# Needs gcloud, and a file system at /mnt/data that all hosts mount (Filestore).
# The checkout lies there too, with its .venv and jax[tpu] in it. Data and
# workdir may lie in a bucket (gs://BUCKET/...), with gcsfs in the .venv.
# The batch is a multiple of twice the number of chips. `pair_within` keeps CPL
# and MPSL to comparing rows within groups; see docs/performance.md.
# Interrupted, the same command goes on with the same TPUs.

set -eu
: "${3:?give the config, the packed data and the workdir}"
config=$1 data=$2 workdir=$3
shift 3
: "${TPU_NAME:=owdfa}" "${TPU_ZONE:=us-central1-a}"
: "${TPU_TYPE:=v5litepod-256}" "${TPU_VERSION:=v2-alpha-tpuv5-lite}"
: "${CHECKOUT:=/mnt/data/owdfa-jax}"
tpu=(gcloud compute tpus)

state() {
  "${tpu[@]}" queued-resources describe "$TPU_NAME" --zone="$TPU_ZONE" \
    --format='value(state.state)'
}

# Fails where there is none of this name yet.
if ! state >/dev/null 2>&1; then
  "${tpu[@]}" queued-resources create "$TPU_NAME" --node-id="$TPU_NAME" \
    --zone="$TPU_ZONE" --accelerator-type="$TPU_TYPE" \
    --runtime-version="$TPU_VERSION"
fi
while true; do
  now=$(state)
  case $now in
    ACTIVE) break ;;
    FAILED | SUSPENDING | SUSPENDED | DELETING)
      echo "no TPUs: the request $TPU_NAME is $now; delete it, and start again"
      exit 1
      ;;
  esac
  sleep 30
done

printf -v command '%q ' .venv/bin/python main.py --distributed \
  --config="$config" --config.data.path="$data" --workdir="$workdir" "$@"

# 75: another process was lost. 137: killed. 143: SIGTERM, and saved. The same
# command goes on from the last checkpoint. Anything else is for a person; after
# 255, a lost connection, the run may still be there.
status=75
for _ in {1..20}; do
  status=0
  "${tpu[@]}" tpu-vm ssh "$TPU_NAME" --zone="$TPU_ZONE" --worker=all \
    --command="cd ${CHECKOUT@Q} && $command" || status=$?
  case $status in
    75 | 137 | 143) ;;
    *) break ;;
  esac
done
echo "ended with status $status; the TPUs are still yours. To give them back:"
echo "  ${tpu[*]} queued-resources delete $TPU_NAME --zone=$TPU_ZONE --force"
exit "$status"

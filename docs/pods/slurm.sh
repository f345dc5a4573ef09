#!/bin/bash
# One run on several machines of a Slurm cluster:
#   sbatch docs/pods/slurm.sh configs/trace.py:folder data/packed/mine runs/mine
# Start it in the checkout, on a file system that all machines see. The three
# arguments are the config, the packed data and the workdir; what follows them
# goes to main.py as it is. With gcsfs in the .venv, data and workdir may lie in
# a bucket (gs://BUCKET/...).
# The batch is a multiple of twice the number of GPUs (--config.batch_size=N).
# With thousands of rows, --config.method.params.pair_within=2048 keeps CPL and
# MPSL to comparing rows within groups; see docs/performance.md.
#SBATCH --job-name=owdfa
#SBATCH --nodes=2
# One process a GPU: JAX gives each process of Slurm one.
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
# Two minutes before the time is over, every process gets SIGTERM and saves.
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=owdfa-%j.log

set -u
: "${3:?give the config, the packed data and the workdir}"
config=$1 data=$2 workdir=$3
shift 3

# srun does not take the processors of a task over from sbatch.
export SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-1}"

# The processes end each other, each after it has said why.
srun --kill-on-bad-exit=0 .venv/bin/python main.py --distributed \
  --config="$config" --config.data.path="$data" --workdir="$workdir" "$@"
status=$?

# 75: another process was lost. 137: killed. 143: SIGTERM, and saved. The same
# command goes on from the last checkpoint. Anything else is for a person.
case $status in
  75 | 137 | 143)
    if [ "${SLURM_RESTART_COUNT:-0}" -lt 20 ]; then
      scontrol requeue "$SLURM_JOB_ID"
    fi
    ;;
esac
exit "$status"

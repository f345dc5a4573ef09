#!/bin/bash
# A leaderboard as an array of jobs, one GPU and one run each:
#   sbatch docs/pods/slurm_leaderboard.sh configs/leaderboard.py:folder data/packed/mine runs/leaderboard
# The jobs share the workdir, and each writes the table of all finished runs.
# With gcsfs in the .venv, data and workdir may lie in a bucket (gs://BUCKET/...).
#SBATCH --job-name=owdfa-leaderboard
# One job for each row and seed: 14 rows, 3 seeds.
#SBATCH --array=0-41
#SBATCH --gpus=1
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=owdfa-leaderboard-%A-%a.log

set -u
: "${3:?give the config, the packed data and the workdir}"
config=$1 data=$2 workdir=$3
shift 3

# srun does not take the processors of a task over from sbatch.
export SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-1}"

# The rows of configs/leaderboard.py.
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
row=${rows[SLURM_ARRAY_TASK_ID / 3]}
seed=$((SLURM_ARRAY_TASK_ID % 3))

srun .venv/bin/python -m owdfa_jax.leaderboard \
  --config="$config" --config.shared="data.path=$data" \
  --config.only_rows="$row" --config.only_seeds="$seed," \
  --workdir="$workdir" "$@"
status=$?

# Killed, or SIGTERM: the same command goes on.
case $status in
  137 | 143)
    if [ "${SLURM_RESTART_COUNT:-0}" -lt 20 ]; then
      scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
    fi
    ;;
esac
exit "$status"

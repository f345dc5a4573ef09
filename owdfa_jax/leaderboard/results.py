"""Which runs of a leaderboard are finished, and what they say."""

import json
from collections.abc import Sequence
from typing import Any

import ml_collections

from input_pipeline import supervision
from input_pipeline.errors import UserError
from owdfa_jax.evaluation.report import COLUMNS, file_name
from owdfa_jax.leaderboard.rows import Run
from owdfa_jax.leaderboard.table import Entry
from owdfa_jax.training.checkpoints import has_checkpoint
from owdfa_jax.training.workdir import check_workdir

# Runs that differ in these alone belong in one table. Unlike a resumed run,
# whose epochs may grow: on a schedule that knows them, that is another run.
FREE = (
  'compilation_cache',
  'data.num_threads',
  'data.num_workers',
  'data.path',
  'eval.batch_size',
  # What the report is on, it says itself.
  'eval.checkpoint',
  'eval.split',
  'log.',
)
# What a stage gets from the one before it.
HANDED_ON = (
  'model.init',
  'data.pseudo_labels',
  'pseudo_labels',
)
# Beside a run's report: where it was made.
MACHINE = 'machine.json'
# By `data.supervision` of plain cross entropy.
BOUNDS = {'labelled': 'lower', 'all': 'upper'}


def collect(runs: Sequence[Run]) -> list[Entry]:
  """The rows in their order, each with the reports that are there."""
  by_row: dict[str, list[Run]] = {}
  for run in runs:
    by_row.setdefault(run.row.name, []).append(run)
  entries = []
  for name, row_runs in by_row.items():
    config = row_runs[0].experiment.config
    reports = {run.seed: finished_report(run) for run in row_runs}
    entries.append(
      Entry(
        name=name,
        bound=bound(config),
        epochs=row_runs[0].epochs,
        seeds=tuple(reports),
        reports={seed: r for seed, r in reports.items() if r is not None},
      )
    )
  return entries


def bound(config: ml_collections.ConfigDict) -> str:
  """'lower' or 'upper' for a yardstick's config, '' for a method's."""
  if config.method.name != 'supervised':
    return ''
  return BOUNDS.get(config.data.supervision, '')


def finished_report(run: Run) -> dict[str, Any] | None:
  """What the report says of a run that is done, and the `machine` that
  finished it, where that is on record; None for any other run.

  Raises:
    UserError: the folder holds a run of other settings.
  """
  free = FREE + HANDED_ON if run.staged else FREE
  name = file_name(run.experiment.config.eval.split)
  for experiment in run.experiments:
    folder = experiment.workdir
    if not has_checkpoint(folder) and not (folder / name).exists():
      return None
    if not (folder / 'config.json').exists():
      raise UserError(
        f'a run of unknown settings: {folder} has no config.json; remove that '
        'folder, or choose another --workdir'
      )
    check_workdir(experiment, lambda name: not name.startswith(free))
  experiment, folder = run.experiment, run.experiment.workdir
  report = read_json(folder / name)
  wanted = {
    field: experiment.config.eval[field]
    for field in ('checkpoint', 'selection', 'split')
  }
  total = experiment.config.epochs * supervision.steps_per_epoch(
    experiment.dataset, experiment.config.batch_size
  )
  last = report.get('last') or {}
  if (
    not report.keys() >= COLUMNS.keys()
    or any(report.get(field) != value for field, value in wanted.items())
    or last.get('checkpoint_step') != total
  ):
    return None
  return report | {'machine': read_json(folder / MACHINE).get('machine')}


def read_json(path: Any) -> dict[str, Any]:
  """An object from a file; empty where that is missing or cut short."""
  try:
    content = json.loads(path.read_text())
  except (FileNotFoundError, ValueError):
    return {}
  return content if isinstance(content, dict) else {}

"""Finds the finished runs of a leaderboard and reads their reports."""

from collections.abc import Sequence
from typing import Any

import ml_collections
from etils import epath

from input_pipeline import strict_json
from input_pipeline.errors import UserError
from input_pipeline.files import LIST_LIMIT, read_text
from owdfa_jax.discovery.stage_plan import SETTINGS_FROM_STAGE_BEFORE
from owdfa_jax.evaluation.report_files import REPORT_FILE, split_file
from owdfa_jax.leaderboard.runs import Run
from owdfa_jax.leaderboard.table import Entry
from owdfa_jax.report_fields import (
  HEAP_NOVEL_SHARE,
  TABLE_COLUMNS,
  current_report,
  main_figures,
)
from owdfa_jax.settings import RunInputs, epoch_steps
from owdfa_jax.training.run_record import (
  CONFIG_FILE,
  check_settings,
  has_checkpoint,
)

# Runs of one row may differ in these settings (or beginnings of their names).
# `epochs` is not among them, although a resumed run may change it: a learning
# rate schedule depends on the number of epochs, so that makes another run.
FREE_SETTINGS = (
  'checkpoints.',
  'compilation_cache',
  'data.num_threads',
  'data.num_workers',
  'data.path',
  'eval.batch_size',
  'eval.false_alarm_rate',
  'eval.robustness',
  # The report itself records these two.
  'eval.checkpoint',
  'eval.split',
  'log.',
  'on_divergence',
  'max_skipped_in_a_row',
)
# What a run without a network depends on.
SPECTRUM_SETTINGS = ('seed', 'data.', 'dataset', 'spectrum.')
# The file beside a run's report that records the machine.
MACHINE_FILE = 'machine.json'
# Training with cross entropy alone gives a bound, depending on the labels.
BOUNDS = {'labelled': 'lower', 'all': 'upper'}
# So does a spectrum.
FLOORS = {'open_world': 'floor', 'all': 'floor with all labels'}


def collect_entries(runs: Sequence[Run]) -> list[Entry]:
  """Returns an entry per row, in the order of the rows, with what is finished.

  Raises:
    UserError: a folder holds a run with other settings.
  """
  runs_of_row: dict[str, list[Run]] = {}
  for run in runs:
    runs_of_row.setdefault(run.row.name, []).append(run)
  entries = []
  for name, row_runs in runs_of_row.items():
    reports = {run.seed: finished_report(run) for run in row_runs}
    entries.append(
      Entry(
        name=name,
        bound=bound_kind(row_runs[0].last.config),
        epochs=row_runs[0].epochs,
        seeds=tuple(reports),
        reports={seed: r for seed, r in reports.items() if r is not None},
      )
    )
  return entries


def bound_kind(config: ml_collections.ConfigDict) -> str:
  """Returns which bound a run is, see `Entry.bound`; '' if it has a method."""
  if 'spectrum' in config:
    return FLOORS[config.data.supervision]
  if config.method.name != 'supervised':
    return ''
  return BOUNDS.get(config.data.supervision, '')


def finished_report(run: Run) -> dict[str, Any] | None:
  """Returns the report of a finished run; None if the run is not finished.

  Returns:
    The content of the run's `report.json`, with the figures of groups in the
    place of those of images; `HEAP_NOVEL_SHARE`; and `machine`,
    the machine that finished the run, or None if that is not recorded.

  Raises:
    UserError: the folder holds a run with other settings, or cannot be read.
  """
  name = split_file(REPORT_FILE, run.last.config.eval.split)
  free = FREE_SETTINGS
  if run.is_staged:
    free += SETTINGS_FROM_STAGE_BEFORE
  for part in run.parts:
    folder = part.workdir
    if not has_checkpoint(folder) and not (folder / name).exists():
      return None
    if not (folder / CONFIG_FILE).exists():
      raise UserError(
        f'a run of unknown settings: {folder} has no {CONFIG_FILE}; remove '
        'that folder, or choose another --workdir'
      )
    check_settings(
      part,
      lambda setting: (
        not setting.startswith(free)
        and (not run.is_spectrum or setting.startswith(SPECTRUM_SETTINGS))
      ),
    )
  folder = run.last.workdir
  report = current_report(_read_json(folder / name))
  if not _is_complete(report, run.last):
    return None
  # One verdict a group, if there are groups.
  report |= main_figures(report)
  return report | {
    HEAP_NOVEL_SHARE: (report.get('heap') or {}).get('novel_share'),
    'machine': _read_json(folder / MACHINE_FILE).get('machine'),
  }


def _is_complete(report: dict[str, Any], part: RunInputs) -> bool:
  """Whether a report is of the evaluation asked for, after the last epoch."""
  config = part.config
  if 'spectrum' in config:
    return (
      report.keys() >= {*TABLE_COLUMNS, 'spectrum'}
      and report.get('split') == config.eval.split
    )
  num_steps = config.epochs * epoch_steps(config, part.dataset)
  last = report.get('last') or {}
  return (
    report.keys() >= TABLE_COLUMNS.keys()
    and all(
      report.get(field) == config.eval[field]
      for field in ('checkpoint', 'selection', 'split')
    )
    and last.get('checkpoint_step') == num_steps
  )


def _read_json(path: epath.Path) -> dict[str, Any]:
  """Returns the object in a file, or {} if it is missing or damaged.

  A file with NaN or an infinite number is not JSON and counts as damaged.
  Earlier versions wrote such files for networks that had diverged.

  Raises:
    UserError: there is a file, but it cannot be read.
  """
  try:
    content = strict_json.loads(read_text(path, LIST_LIMIT))
  except (FileNotFoundError, ValueError):
    return {}
  except OSError as error:
    raise UserError(
      f'cannot read {path} ({error.strerror}); remove it or choose another '
      '--workdir'
    ) from error
  return content if isinstance(content, dict) else {}

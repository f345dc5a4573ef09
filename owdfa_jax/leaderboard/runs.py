"""Makes the runs of a leaderboard: each row with each seed, in its own folder.

Nothing here imports jax, so that mistakes in the settings show at once.
"""

import dataclasses
from collections.abc import Set

import ml_collections
from etils import epath
from ml_collections.config_flags import config_path

from input_pipeline import storage
from input_pipeline.errors import UsageError
from owdfa_jax.configs import leaderboard
from owdfa_jax.discovery.stage_plan import check_stages, first_workdir
from owdfa_jax.discovery.unknown_classes import (
  estimate_classes,
  take_or_hold_place,
)
from owdfa_jax.leaderboard.row_configs import make_row_config
from owdfa_jax.leaderboard.rows import Row, read_rows, read_seeds, slug
from owdfa_jax.setting_checks import check_fields
from owdfa_jax.settings import (
  RunInputs,
  check_estimate,
  check_run,
  check_spectrum,
  check_training_split,
)
from owdfa_jax.training.run_record import has_checkpoint

# Rows that differ in these settings have other data or another way of
# evaluation, and cannot be compared.
SAME_FOR_ALL = (
  'data.leave_out',
  'data.path',
  'eval.checkpoint',
  'eval.metric',
  'eval.selection',
  'eval.split',
  'eval.unseen_path',
)


@dataclasses.dataclass(frozen=True)
class Run:
  """A row with a seed: one ordinary run, or a staged one.

  Attributes:
    row: the row of the table that the run belongs to.
    seed: the run's seed.
    config: the run's config; a staged run's has `stages`.
    folder: the run's workdir, `WORKDIR/<row>-<seed>`.
    parts: what it trains, one after the other: the stages of a staged run, or
      the run itself. A run without a network is one part.
  """

  row: Row
  seed: int
  config: ml_collections.ConfigDict
  folder: str
  parts: tuple[RunInputs, ...]

  @property
  def is_staged(self) -> bool:
    """Whether it is trained in stages."""
    return 'stages' in self.config

  @property
  def is_spectrum(self) -> bool:
    """Whether it has no network, see `configs/spectrum.py`."""
    return 'spectrum' in self.config

  @property
  def last(self) -> RunInputs:
    """The part whose network is evaluated for the table."""
    return self.parts[-1]

  @property
  def epochs(self) -> int:
    """The epochs of all parts together; 0 without a network."""
    if self.is_spectrum:
      return 0
    return sum(part.config.epochs for part in self.parts)


def make_runs(config: ml_collections.ConfigDict, workdir: str) -> list[Run]:
  """Returns all runs of a leaderboard, sorted by seed, then by row.

  Settings and data of every run are checked, so that mistakes show before the
  first one trains.

  Args:
    config: the leaderboard's config.
    workdir: gets a folder per run.

  Raises:
    UserError: rows, seeds or settings are invalid, rows differ in a setting of
      `SAME_FOR_ALL`, or a row or seed is chosen that there is not.
  """
  check_fields(config.to_dict(), leaderboard.get_config().to_dict())
  rows, seeds = read_rows(config.rows), read_seeds(config.seeds)
  # A misspelt choice is a mistake whatever the data is.
  _check_chosen('only_rows', _chosen_rows(config), {row.slug for row in rows})
  _check_chosen('only_seeds', {*config.only_seeds}, {*seeds})
  # Without model selection, use the last checkpoint.
  checkpoint = 'latest' if config.selection == 'last' else 'best'
  shared = (
    f'eval.metric={config.metric}',
    f'eval.selection={config.selection}',
    f'eval.checkpoint={checkpoint}',
    *config.shared,
  )
  folder = storage.run_folder(workdir)
  estimates: dict[str, int] = {}
  runs = []
  for seed in seeds:
    for row in rows:
      run_config = make_row_config(row, seed, shared, config.benchmark)
      run_folder = f'{folder}/{row.slug}-{seed}'
      _fill_in_classes(run_config, run_folder, estimates)
      runs.append(make_run(row, seed, run_config, run_folder))
  check_same_for_all(runs)
  return runs


def make_run(
  row: Row, seed: int, config: ml_collections.ConfigDict, folder: str
) -> Run:
  """Returns a run whose parts have been checked.

  Args:
    row: a row of the leaderboard.
    seed: the run's seed.
    config: the run's config; with `stages` for training in stages.
    folder: the run's workdir, absolute.

  Raises:
    UserError: settings or data do not fit.
  """
  if 'spectrum' in config:
    return Run(row, seed, config, folder, (check_spectrum(config, folder),))
  if 'stages' in config:
    parts = tuple(check_stages(config, folder))
  else:
    parts = (check_run(config, folder),)
  for part in parts:
    _check_training(part)
  return Run(row, seed, config, folder, parts)


def _fill_in_classes(
  config: ml_collections.ConfigDict, folder: str, estimates: dict[str, int]
) -> None:
  """Sets `data.num_classes` to an estimate where it is needed and not given.

  Args:
    config: a run's config.
    folder: the run's workdir, whose number is kept if it has one.
    estimates: the numbers found so far, by the data; a new one is added, so
      that each data is read once.
  """
  if not take_or_hold_place(config, epath.Path(first_workdir(config, folder))):
    return
  data = f'{config.data.path} {config.data.leave_out}'
  if data not in estimates:
    print(estimate_classes(config))
    estimates[data] = config.data.num_classes
  config.data.num_classes = estimates[data]


def _check_training(part: RunInputs) -> None:
  """Raises `UserError` if an ordinary run cannot begin, or cannot go on."""
  check_training_split(part)
  if not has_checkpoint(part.workdir):
    check_estimate(part.config, part.dataset)


def check_same_for_all(runs: list[Run]) -> None:
  """Raises `UserError` if runs differ in a setting of `SAME_FOR_ALL`."""
  for field in SAME_FOR_ALL:
    values = sorted(
      {str(config_path.get_value(field, run.last.config)) for run in runs}
    )
    if len(values) > 1:
      raise UsageError(
        f'rows that cannot be compared: {field}={" and ".join(values)}; all '
        'rows need the same dataset and evaluation: give this setting to all, '
        'in --config.shared'
      )


def choose_runs(
  config: ml_collections.ConfigDict, runs: list[Run]
) -> list[Run]:
  """Returns the runs that this process trains.

  Args:
    config: the leaderboard's config. `only_rows` and `only_seeds` choose runs;
      empty, they choose all.
    runs: all runs of the leaderboard, as `make_runs` returns them.
  """
  names, seeds = _chosen_rows(config), {*config.only_seeds}
  return [
    run
    for run in runs
    if (not names or run.row.slug in names) and (not seeds or run.seed in seeds)
  ]


def _chosen_rows(config: ml_collections.ConfigDict) -> set[str]:
  names = config.only_rows.split(',')
  return {slug(name) for name in names if name.strip()}


def _check_chosen(field: str, chosen: Set, present: Set) -> None:
  if unknown := chosen - present:
    raise UsageError(
      f'not in this leaderboard: --config.{field} names '
      f'{", ".join(map(str, unknown))}; '
      f'there are {", ".join(map(str, sorted(present)))}'
    )

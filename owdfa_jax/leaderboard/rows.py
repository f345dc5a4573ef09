"""From a leaderboard's config to its runs, each with a folder of its own."""

import ast
import dataclasses
import importlib
import importlib.util
import re
from collections.abc import Sequence

import ml_collections
from ml_collections.config_flags import config_path

from input_pipeline.errors import UserError
from owdfa_jax.commands.flags import tidy
from owdfa_jax.discovery import stages
from owdfa_jax.experiment import Experiment, check_training, set_up

# What the data is and how it is judged: without that there is nothing to
# compare.
ALIKE = (
  'data.path',
  'eval.checkpoint',
  'eval.metric',
  'eval.selection',
  'eval.split',
)


@dataclasses.dataclass(frozen=True)
class Row:
  """One line of the table.

  Attributes:
    name: as the table has it.
    config: which file of `configs/`; `staged:METHOD` for training in stages.
    overrides: 'field=value' each, on top of it.
  """

  name: str
  config: str
  overrides: tuple[str, ...] = ()

  @property
  def slug(self) -> str:
    """The name as part of a folder's: small letters, digits, hyphens."""
    return slug(self.name)


@dataclasses.dataclass(frozen=True)
class Run:
  """A row with a seed: an ordinary run, or a staged one, in a folder.

  Attributes:
    row: which one.
    seed: of this run.
    config: of it; with `stages` where it has some.
    folder: `WORKDIR/<row>-<seed>`.
    experiments: what it trains, one after the other; the last one counts.
  """

  row: Row
  seed: int
  config: ml_collections.ConfigDict
  folder: str
  experiments: tuple[Experiment, ...]

  @property
  def staged(self) -> bool:
    """Whether it has more than one stage."""
    return 'stages' in self.config

  @property
  def experiment(self) -> Experiment:
    """What is judged: the last stage, or all there is."""
    return self.experiments[-1]

  @property
  def epochs(self) -> int:
    """Of all stages together."""
    return sum(experiment.config.epochs for experiment in self.experiments)


def slug(name: str) -> str:
  """'CAL (classes unknown)' as 'cal-classes-unknown'."""
  return re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')


def make_runs(config: ml_collections.ConfigDict, workdir: str) -> list[Run]:
  """Sets up every run, seed by seed, so that mistakes show before training.

  Raises:
    UserError: rows or seeds that cannot be, settings that do not fit, or rows
      that differ in what must be `ALIKE`.
  """
  shared = (
    f'eval.metric={config.metric}',
    f'eval.selection={config.selection}',
    # Of what selects nothing the best checkpoint is the last one.
    f'eval.checkpoint={"latest" if config.selection == "last" else "best"}',
    *config.shared,
  )
  runs = [
    make_run(
      row,
      seed,
      run_config(row, seed, shared, config.benchmark),
      f'{workdir}/{row.slug}-{seed}',
    )
    for seed in read_seeds(config.seeds)
    for row in read_rows(config.rows)
  ]
  for field in ALIKE:
    values = sorted(
      {str(config_path.get_value(field, run.experiment.config)) for run in runs}
    )
    if len(values) > 1:
      raise UserError(
        f'rows that cannot be compared: {field}={" and ".join(values)}; a '
        'table is on one dataset and judged in one way: give such a setting '
        'to all rows, in --config.shared'
      )
  return runs


def make_run(
  row: Row, seed: int, config: ml_collections.ConfigDict, folder: str
) -> Run:
  """Sets up a run and all stages it may have."""
  if 'stages' in config:
    experiments = tuple(stages.experiments(config, folder))
  else:
    experiments = (set_up(config, folder),)
  for experiment in experiments:
    check_training(experiment)
  return Run(row, seed, config, folder, experiments)


def choose(config: ml_collections.ConfigDict, runs: list[Run]) -> list[Run]:
  """The runs that `only_rows` and `only_seeds` leave to this process."""
  names = {slug(name) for name in config.only_rows.split(',') if name.strip()}
  check_known('only_rows', names, {run.row.slug for run in runs})
  seeds = set(config.only_seeds)
  check_known('only_seeds', seeds, {run.seed for run in runs})
  return [
    run
    for run in runs
    if (not names or run.row.slug in names) and (not seeds or run.seed in seeds)
  ]


def check_known(field: str, chosen: set, known: set) -> None:
  """`UserError` where something chosen is not among what there is."""
  if unknown := chosen - known:
    raise UserError(
      f'not in this leaderboard: --config.{field} names '
      f'{", ".join(map(str, unknown))}; '
      f'there are {", ".join(map(str, sorted(known)))}'
    )


def read_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
  """The seeds, checked: at least one, whole numbers, no two alike."""
  if (
    not seeds
    or any(not isinstance(seed, int) or seed < 0 for seed in seeds)
    or len(set(seeds)) < len(seeds)
  ):
    raise UserError(
      f'no proper seeds: --config.seeds={tuple(seeds)}; give at least one '
      'whole number, no two alike, such as 0,1,2'
    )
  return tuple(seeds)


def read_rows(entries: Sequence[dict]) -> list[Row]:
  """The rows, checked: at least one, complete, each with a folder of its own.

  Args:
    entries: with `name`, `config` and perhaps `overrides`.
  """
  rows = []
  for entry in entries:
    row = read_row(entry)
    if not row.slug or set(row.name) & set(',|\n'):
      raise UserError(
        f'a row cannot be called that: --config.rows has {row.name!r}; use a '
        'letter or digit, and neither comma nor bar'
      )
    if row.slug in {other.slug for other in rows}:
      raise UserError(
        f'two rows would share a folder: --config.rows has {row.name!r} twice, '
        'small letters and signs apart; change a name'
      )
    rows.append(row)
  if not rows:
    raise UserError('no rows: --config.rows is empty; name at least one')
  return rows


def read_row(entry: dict) -> Row:
  """One of them; `UserError` if it lacks a field or has another."""
  try:
    row = Row(**entry)
  except TypeError:
    row = None
  if row is None or not (
    isinstance(row.name, str)
    and isinstance(row.config, str)
    and isinstance(row.overrides, (tuple, list))
  ):
    raise UserError(
      f'not a row: --config.rows has {entry}; a row is '
      "{'name': 'CPL', 'config': 'cpl', 'overrides': ('field=value',)}"
    )
  return row


def run_config(
  row: Row, seed: int, shared: Sequence[str], benchmark: str
) -> ml_collections.ConfigDict:
  """The config of a run: the row's file, what all rows share, its own."""
  config = load(row.config, benchmark)
  if config is None:
    raise UserError(
      f'no such method: row {row.name!r} has config={row.config!r}; name a '
      'file of configs/ without its .py, such as cpl, or staged:cpl'
    )
  config.lock()
  for setting in (*shared, *row.overrides):
    if setting.startswith('seed='):
      raise UserError(
        f'a row has no seed of its own: row {row.name!r} is given {setting!r}; '
        'all rows have those of --config.seeds'
      )
  for setting in shared:
    override(config, setting, f'--config.shared (row {row.name!r})')
  for setting in row.overrides:
    override(config, setting, f'row {row.name!r}')
  config.seed = seed
  return config


def load(name: str, benchmark: str) -> ml_collections.ConfigDict | None:
  """What `configs/<name>.py` says of a run, of `staged:cpl` what staged.py
  says of CPL; None if it does not.
  """
  file, _, method = name.partition(':')
  module = f'owdfa_jax.configs.{file}'
  if not file.isidentifier() or importlib.util.find_spec(module) is None:
    return None
  get_config = getattr(importlib.import_module(module), 'get_config', None)
  if get_config is None:
    return None
  config = get_config(f'{method},{benchmark}' if method else benchmark)
  return config if 'method' in config else None


def override(
  config: ml_collections.ConfigDict, setting: str, where: str
) -> None:
  """Applies 'field=value'; `UserError` if there is no such field."""
  field, equals, text = setting.partition('=')
  try:
    if not equals:
      raise ValueError('without a value')
    text_wanted = isinstance(config_path.get_value(field, config), str)
    config.update_from_flattened_dict(
      {field: text if text_wanted else literal(text)}
    )
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise UserError(
      f'a setting does not fit: {where} has {setting!r} '
      f'({tidy(error)}); write field=value, with a field of its config'
    ) from error


def literal(text: str) -> object:
  """A number, truth value or tuple; what is none of them stays a string."""
  try:
    return ast.literal_eval(text)
  except (SyntaxError, ValueError):
    return text

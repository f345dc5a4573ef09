"""Makes small leaderboards and their runs."""

import json

from input_pipeline import supervision
from owdfa_jax.configs import leaderboard
from owdfa_jax.leaderboard import runs
from owdfa_jax.leaderboard.compare import compare
from owdfa_jax.report_fields import TABLE_COLUMNS
from owdfa_jax.training.workdir import claim_workdir

TWO_ROWS = (
  {'name': 'lower bound', 'config': 'lower_bound'},
  {'name': 'CPL', 'config': 'cpl'},
)


def make_config(packed, **changes):
  """Returns the config of a leaderboard with two rows and one seed, 3.

  Args:
    packed: the folder of the packed dataset.
    **changes: fields of the config.
  """
  config = leaderboard.get_config('folder64')
  config.rows = TWO_ROWS
  config.seeds = (3,)
  config.shared = (
    f'data.path={packed}',
    'model.width=0.125',
    'batch_size=16',
    'epochs=1',
    'eval.batch_size=16',
    'log.tensorboard=False',
    'log.page=False',
  )
  config.update(changes)
  return config.lock()


def make_runs(packed, workdir, **changes):
  """Returns the runs of `make_config` in `workdir`."""
  return runs.make_runs(make_config(packed, **changes), str(workdir))


def run_leaderboard(config, workdir, command=''):
  """Trains and compares as the command does; returns the exit status."""
  made = runs.make_runs(config, str(workdir))
  return compare(config, made, str(workdir), command)


def pretend_finished(part, value=0.5, **changes):
  """Writes what a finished run leaves, without training.

  Args:
    part: one of a run's `parts`.
    value: of every metric.
    **changes: other fields of the report.
  """
  config = part.config
  claim_workdir(part)
  steps = supervision.steps_per_epoch(part.dataset, config.batch_size)
  report = {
    **dict.fromkeys(TABLE_COLUMNS, value),
    'checkpoint_step': 1,
    'checkpoint': config.eval.checkpoint,
    'selection': config.eval.selection,
    'split': config.eval.split,
    'last': {'checkpoint_step': steps * config.epochs},
  }
  (part.workdir / 'report.json').write_text(json.dumps(report | changes))


def read_cells(markdown):
  """Returns the cells of a Markdown table by row and column name."""
  lines = [x for x in markdown.splitlines() if x.startswith('|')]
  cells = [[x.strip() for x in line[1:-1].split('|')] for line in lines]
  header, _, *rows = cells
  return {row[0]: dict(zip(header, row, strict=True)) for row in rows}

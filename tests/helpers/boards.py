"""Small leaderboards and their runs, for the tests."""

import json

from input_pipeline import supervision
from owdfa_jax.configs import leaderboard
from owdfa_jax.evaluation.report import COLUMNS
from owdfa_jax.leaderboard import rows
from owdfa_jax.training.workdir import claim_workdir

TWO_ROWS = (
  {'name': 'lower bound', 'config': 'lower_bound'},
  {'name': 'CPL', 'config': 'cpl'},
)


def make_config(packed, **changes):
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
  )
  config.update(changes)
  return config.lock()


def make_runs(packed, workdir, **changes):
  return rows.make_runs(make_config(packed, **changes), str(workdir))


def pretend(run, value=0.5, **changes):
  """Leaves what a finished run would, with `value` for every metric."""
  config, folder = run.experiment.config, run.experiment.workdir
  claim_workdir(run.experiment)
  steps = supervision.steps_per_epoch(run.experiment.dataset, config.batch_size)
  report = {
    **dict.fromkeys(COLUMNS, value),
    'checkpoint_step': 1,
    'checkpoint': config.eval.checkpoint,
    'selection': config.eval.selection,
    'split': config.eval.split,
    'last': {'checkpoint_step': steps * config.epochs},
  }
  (folder / 'report.json').write_text(json.dumps(report | changes))


def cells(markdown):
  """The table's lines by the name of their row."""
  lines = [x for x in markdown.splitlines() if x.startswith('|')]
  split = [[x.strip() for x in line[1:-1].split('|')] for line in lines]
  header, _, *lines = split
  return {line[0]: dict(zip(header, line, strict=True)) for line in lines}

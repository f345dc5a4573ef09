"""Trains the rows of a leaderboard, as many seeds each, and compares them.

  python -m owdfa_jax.leaderboard --config=configs/leaderboard.py:simulated1 \
    --workdir=runs/leaderboard

The same command again goes on where it stopped and skips what is finished.
"""

import functools
import shlex
import sys
from collections.abc import Sequence

from absl import app, flags, logging
from ml_collections import config_flags

from input_pipeline.errors import UserError, one_line_errors
from owdfa_jax.commands.flags import parse
from owdfa_jax.leaderboard.compare import compare

_EXAMPLE = 'configs/leaderboard.py:BENCHMARK'
_CONFIG = config_flags.DEFINE_config_file(
  'config', None, f'What to compare: {_EXAMPLE}.', lock_config=True
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Where the runs and the table are kept.'
)


def main(argv: Sequence[str]) -> None:
  """Ends with an interrupted run's exit status."""
  del argv
  if _WORKDIR.value is None:
    raise UserError('nowhere to keep the runs: give --workdir=DIR')
  # Orbax speaks of its doings, and warns of saves without metrics.
  logging.set_verbosity(logging.ERROR)
  # The table is the same whoever trained which part of it.
  arguments = [x for x in sys.argv[1:] if not x.startswith('--config.only_')]
  command = shlex.join(['python', '-m', 'owdfa_jax.leaderboard', *arguments])
  sys.exit(compare(_CONFIG.value, _WORKDIR.value, command))


if __name__ == '__main__':
  with one_line_errors():
    app.run(
      main,
      flags_parser=functools.partial(
        parse, config=_CONFIG, example=_EXAMPLE, needs='rows'
      ),
    )

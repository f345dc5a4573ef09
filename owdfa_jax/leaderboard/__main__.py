"""Trains methods with several seeds each and compares them in one table.

  owdfa leaderboard --config=leaderboard:simulated1 --workdir=runs/leaderboard

The same command again resumes where it stopped and skips finished runs; so does
`owdfa leaderboard --workdir=runs/leaderboard`. --config.only_rows=CPL,MPSL and
--config.only_seeds=0 train some runs alone; give them each time.
"""

import functools
import shlex
import sys
from collections.abc import Sequence

from absl import app, flags
from ml_collections import config_flags

from input_pipeline.errors import UsageError, one_line_errors
from input_pipeline.progress_bars import be_quiet
from owdfa_jax.commands.flags import (
  ARGUMENTS,
  Recorded,
  command_line,
  parse,
  recorded_workdir,
)
from owdfa_jax.leaderboard.record import (
  keep_shared,
  read_board_record,
  recorded_command,
)
from owdfa_jax.leaderboard.runs import make_runs

_EXAMPLE = 'leaderboard:BENCHMARK'
_CONFIG = config_flags.DEFINE_config_file(
  'config', None, f'What to compare: {_EXAMPLE}.', sys_argv=ARGUMENTS
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'The folder of the runs and the table.'
)
_QUIET = flags.DEFINE_bool(
  'quiet',
  False,
  'Show no progress, only results, warnings and errors.',
  short_name='q',
)


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
  """Parses the command line, trains and compares.

  Args:
    argv: the arguments; by default those of the process.
    prog: the program's name, given with `argv`.
  """
  flags_parser = functools.partial(
    parse,
    config=_CONFIG,
    example=_EXAMPLE,
    needs='rows',
    description=__doc__ or '',
    recorded=Recorded(lambda words: True, read_board_record),
  )
  with one_line_errors():
    app.run(_run, command_line(argv, prog), flags_parser=flags_parser)


def _run(argv: Sequence[str]) -> None:
  del argv
  if _QUIET.value:
    be_quiet()
  config, workdir = _CONFIG.value, _WORKDIR.value
  if not workdir:
    raise UsageError('no folder for the runs: give --workdir=DIR')
  if recorded_workdir(_CONFIG) is not None:
    keep_shared(config, workdir)
  runs = make_runs(config, workdir)

  # Imports JAX, which takes seconds, only once the command is known to be
  # right.
  from owdfa_jax.commands import startup
  from owdfa_jax.leaderboard.compare import compare
  from owdfa_jax.library_logs import silence_libraries

  silence_libraries()
  startup.use_compilation_cache(runs[0].config.compilation_cache)
  with startup.one_line_out_of_memory():
    sys.exit(compare(config, runs, workdir, _command_line()))


def _command_line() -> str:
  """Returns the command that makes the whole table.

  Which process trained which part of it does not matter to the table.
  """
  arguments = [x for x in sys.argv[1:] if not x.startswith('--config.only_')]
  workdir = recorded_workdir(_CONFIG)
  if workdir is not None:
    changed = [x for x in arguments if x.startswith('--config.')]
    return ' '.join([recorded_command(workdir), *map(shlex.quote, changed)])
  return shlex.join(['python', '-m', 'owdfa_jax.leaderboard', *arguments])


if __name__ == '__main__':
  main()
